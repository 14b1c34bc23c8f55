module rely.example/keys/pkcs12

go 1.26.0

require rely.example v0.0.0

// Reads PKCS #12 files of today (PBES2, SHA-256), which golang.org/x/crypto/pkcs12,
// frozen, does not. Maintained by the author of the latter's fork, BSD-3-Clause.
require software.sslmate.com/src/go-pkcs12 v0.7.4

require (
	github.com/go-jose/go-jose/v4 v4.1.9 // indirect
	golang.org/x/crypto v0.58.0 // indirect
)

replace rely.example => ../..
