package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPlain logs in to every OP with net/http alone. When it passes and
// TestLogin does not, the OP is well and the Relying Party is not.
func TestPlain(t *testing.T) {
	for _, peer := range Peers() {
		t.Run(peer.Name, func(t *testing.T) {
			op := peer.Start(t, peer.StaticClients(publicJWKS(t, newKey(t)))...)
			metadata := getJSON(t, op, op.Issuer+"/.well-known/openid-configuration")
			for _, responseType := range peer.Has.ResponseTypes {
				for _, mode := range peer.Has.Modes(responseType) {
					t.Run(strings.ReplaceAll(responseType, " ", "+")+"/"+mode, func(t *testing.T) {
						plainLogin(t, op, metadata, responseType, mode)
					})
				}
			}
		})
	}
}

func plainLogin(t *testing.T, op *OP, metadata map[string]any, responseType, mode string) {
	client, ok := op.Client("rely-client_secret_basic")
	if !ok {
		t.Fatal("no client for client_secret_basic")
	}
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	state, nonce := rand.Text(), rand.Text()
	scope := strings.TrimSpace("openid profile email " + op.Peer.Has.Refresh.Scope)
	request := url.Values{
		"client_id": {client.ID}, "redirect_uri": {RedirectURI}, "response_type": {responseType},
		"response_mode": {mode}, "scope": {scope}, "state": {state}, "nonce": {nonce},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	endpoint, _ := metadata["authorization_endpoint"].(string)
	if op.Peer.Has.Refresh.Scope != "" && hasCode(responseType) {
		request.Set("prompt", "consent") // Core 11
	} else {
		request.Set("scope", "openid profile email")
	}
	answer, err := op.NewBrowser().Visit(t.Context(), endpoint+"?"+request.Encode())
	if err != nil {
		t.Fatal(err)
	}
	params, err := answer.Params()
	if err != nil {
		t.Fatal(err)
	}
	if answer.Mode != mode {
		t.Errorf("delivered by %s, want %s", answer.Mode, mode)
	}
	if params.Get("state") != state {
		t.Fatalf("state = %q, want %q; parameters: %v", params.Get("state"), state, keys(params))
	}
	t.Logf("parameters: %v", keys(params))
	if strings.Contains(responseType, "id_token") && params.Get("id_token") == "" {
		t.Error("no id_token in the response")
	}
	if code := params.Get("code"); hasCode(responseType) {
		form := url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {RedirectURI}, "code_verifier": {verifier},
		}
		tokens := postForm(t, op, metadata, client.ID, client.Secret, form)
		t.Logf("token response: %v", tokens)
	}
}

func keys(v url.Values) []string {
	var out []string
	for k := range v {
		out = append(out, k)
	}
	return out
}

func getJSON(t *testing.T, op *OP, address string) map[string]any {
	resp, err := op.HTTPClient().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return readJSON(t, resp)
}

func postForm(t *testing.T, op *OP, metadata map[string]any, id, secret string, form url.Values) map[string]any {
	endpoint, _ := metadata["token_endpoint"].(string)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(id, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := op.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return readJSON(t, resp)
}

func readJSON(t *testing.T, resp *http.Response) map[string]any {
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", resp.Status, b)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return v
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// publicJWKS is the key set of a client with one ES256 key (RFC 7518, section 6.2).
func publicJWKS(t *testing.T, key *ecdsa.PrivateKey) json.RawMessage {
	t.Helper()
	point, err := key.PublicKey.Bytes() // 0x04, x, y
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": clientKeyID,
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// clientKeyID names the key by which a client authenticates.
const clientKeyID = "rely-client-key"
