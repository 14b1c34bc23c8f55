module rely.example

go 1.26.0

require (
	// JWE only: JOSE encryption we do not write ourselves. Signatures are
	// verified on the standard library in internal/jose.
	github.com/go-jose/go-jose/v4 v4.1.9

	// Strict JSON for whatever a stranger sends: exact-case names, no duplicate
	// names, valid UTF-8. encoding/json does none of these.
	github.com/go-json-experiment/json v1.27.2
)
