package oidctest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxClientDocument is what Client ID Metadata Document, section 6.6, recommends.
const maxClientDocument = 5 << 10

// fetched is a document as it came.
type fetched struct {
	status    int
	mediaType string
	from      string // the URL that answered in the end
	body      []byte
}

// knownClient finds a client by its identifier, which may be the URL of its
// metadata (Config.ClientDocuments). anew asks for it again if it is known already.
func (x *exchange) knownClient(id string, anew bool) (*registered, error) {
	op := x.op
	op.mu.Lock()
	c, ok := op.clients[id]
	op.mu.Unlock()
	if ok && !(c.document && anew) {
		return c, nil
	}
	if !op.c.ClientDocuments || !strings.HasPrefix(id, "https://") {
		return nil, errors.New("no client with this client_id is registered here")
	}
	doc, err := x.clientDocument(id)
	if err != nil {
		// Section 4.4: what is refused is not kept, and nothing of before is used.
		return nil, fmt.Errorf("the document at the client_id cannot be used: %w", err)
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	op.putClient(&registered{Client: doc, dynamic: true, document: true, issuedAt: x.now})
	return op.clients[id], nil
}

// clientDocument fetches a client's document and checks it.
func (x *exchange) clientDocument(id string) (Client, error) {
	f, err := x.op.get(x.r.Context(), id, maxClientDocument+1)
	if err != nil {
		return Client{}, err
	}
	for _, b := range x.faults {
		if b.document != nil {
			b.document(x, f)
		}
	}
	if err := f.check(id); err != nil {
		return Client{}, err
	}
	var doc Client
	var all map[string]any
	if json.Unmarshal(f.body, &all) != nil || json.Unmarshal(f.body, &doc) != nil || all == nil {
		return Client{}, errors.New("it is no JSON object of client metadata (Client ID Metadata Document, 4.1)")
	}
	if err := checkDocument(id, doc, all); err != nil {
		return Client{}, err
	}
	if doc.TokenEndpointAuthMethod == "" {
		doc.TokenEndpointAuthMethod = "none"
	}
	doc.Metadata = all
	return doc, nil
}

// get asks for what is at u, of which it reads no more than most bytes.
func (op *OP) get(ctx context.Context, u string, most int64) (*fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	c := op.c.Client
	if c == nil {
		c = fetcher()
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	f := &fetched{status: res.StatusCode, from: u, mediaType: res.Header.Get("Content-Type")}
	if res.Request != nil && res.Request.URL.String() != r.URL.String() {
		f.from = res.Request.URL.String() // Client followed a redirect
	}
	f.body, err = io.ReadAll(io.LimitReader(res.Body, most))
	return f, err
}

// check is about how the document came.
func (f *fetched) check(id string) error {
	mediaType, _, err := mime.ParseMediaType(f.mediaType)
	switch {
	case f.status != http.StatusOK:
		return fmt.Errorf("the answer is %d, not 200 (Client ID Metadata Document, 4.3)", f.status)
	case f.from != id:
		return errors.New("a redirect leads elsewhere (Client ID Metadata Document, 4)")
	case err != nil || mediaType != "application/json" && !(strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")):
		return errors.New("the media type is not application/json (Client ID Metadata Document, 4.1)")
	case len(f.body) > maxClientDocument:
		return errors.New("it is larger than 5 KiB (Client ID Metadata Document, 6.6)")
	}
	return nil
}

// checkDocument is about what is in it: whose it is, that it holds nothing that
// would have to stay secret, and that the client can be sent back to.
func checkDocument(id string, doc Client, all map[string]any) error {
	bad := func(why string) error { return errors.New(why + " (Client ID Metadata Document, 4.1)") }
	if doc.ID != id {
		return bad("its client_id is not the URL")
	}
	for _, name := range []string{"client_secret", "client_secret_expires_at"} {
		if _, ok := all[name]; ok {
			return bad("it holds " + name)
		}
	}
	method := doc.TokenEndpointAuthMethod
	if strings.HasPrefix(method, "client_secret_") {
		return bad(method + " needs a secret")
	}
	if set, ok := all["jwks"].(map[string]any); ok {
		keys, _ := set["keys"].([]any)
		for _, k := range keys {
			if jwk, ok := k.(map[string]any); !ok || jwk["d"] != nil || jwk["k"] != nil {
				return bad("its jwks holds a key that is not public")
			}
		}
	}
	if (method == "private_key_jwt" || method == "self_signed_tls_client_auth") && doc.JWKS == nil && doc.JWKSURI == "" {
		return errors.New(method + " needs jwks or jwks_uri (Client ID Metadata Document, 6.2)")
	}
	for name, alg := range map[string]string{
		"id_token_signed_response_alg": doc.IDTokenSignedResponseAlg, "userinfo_signed_response_alg": doc.UserInfoSignedResponseAlg,
		"authorization_signed_response_alg": doc.AuthorizationSignedResponseAlg, "introspection_signed_response_alg": doc.IntrospectionSignedResponseAlg,
		"token_endpoint_auth_signing_alg": doc.TokenEndpointAuthSigningAlg, "request_object_signing_alg": doc.RequestObjectSigningAlg,
	} {
		if strings.HasPrefix(alg, "HS") {
			return bad(name + " needs a secret")
		}
	}
	if len(doc.RedirectURIs) == 0 && (&registered{Client: doc}).redirects() {
		return errors.New("it has no redirect_uris (Client ID Metadata Document, 4.5)")
	}
	return nil
}
