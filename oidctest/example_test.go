package oidctest_test

import (
	"context"
	"fmt"
	"net/url"

	"rely.example/oidctest"
)

// Outside a test the OP is started and closed by hand. A browser logs in by
// itself and returns what the redirect URI would receive.
func Example() {
	op, err := oidctest.Start(oidctest.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer op.Close()
	client := op.AddClient(oidctest.Client{ID: "my-app", RedirectURIs: []string{"https://app.example/callback"}})

	request := url.Values{
		"client_id": {client.ID}, "redirect_uri": client.RedirectURIs, "response_type": {"code"}, "scope": {"openid"}, "state": {"xyz"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	callback, err := op.Browser().Login(context.Background(), op.URL(oidctest.EndpointAuthorization)+"?"+request.Encode())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(callback.Mode, callback.URL.Host, callback.Params().Get("state"), callback.Params().Has("code"))
	// Output: query app.example xyz true
}

// A fault makes the OP break one rule; the relying party under test must
// notice.
func ExampleOP_Break() {
	op, err := oidctest.Start(oidctest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer op.Close()
	op.Break(oidctest.NonceWrong)
	fmt.Println(op.Broken())
	op.Mend()
	fmt.Println(len(op.Broken()))
	// Output:
	// [nonce_wrong]
	// 0
}

// Faults is the menu of what can be broken.
func ExampleFaults() {
	for _, f := range oidctest.Faults() {
		if f.Fault == oidctest.SignedWithHMAC {
			fmt.Printf("%s / %s (%s)\n%s\n", f.Group, f.Title, f.Section, f.Expect)
		}
	}
	// Output:
	// ID Token: signature / It is HS256 with the public key as PEM (RFC 8725 2.1)
	// Refuse the ID Token.
}
