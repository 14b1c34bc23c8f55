package oidc_test

import (
	"rely.example/oidc"
	"rely.example/oidctest"
)

// exchangeFaults is what each fault of a token exchange leads to.
var exchangeFaults = map[oidctest.Fault]outcome{
	oidctest.IssuedTypeMissing: oidc.BadIssuedType, oidctest.IssuedTypeOther: oidc.BadIssuedType, oidctest.IssuedNotApplicable: oidc.BadTokenType,
}
