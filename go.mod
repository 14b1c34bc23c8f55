module rely.example

go 1.26.0

// JWE only: JOSE encryption we do not write ourselves. Signatures are verified on
// the standard library in internal/jose.
require github.com/go-jose/go-jose/v4 v4.1.9
