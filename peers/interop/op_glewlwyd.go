package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"text/template"

	"rely.example/peers/interop/launch"
)

// What glewlwyd needs of its Debian package, below the root directory.
const (
	glewlwydProgram = "usr/bin/glewlwyd"
	glewlwydModules = "usr/lib/glewlwyd"
	glewlwydSchema  = "usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
)

//go:embed ops/glewlwyd/glewlwyd.conf.tmpl
var glewlwydTemplate string

// glewlwyd is the OP of Debian's package of that name.
func glewlwyd() *Peer {
	return &Peer{
		Name: "glewlwyd",
		Has: Capabilities{
			ResponseTypes: []string{"code", "id_token", "id_token token", "code id_token", "code id_token token"},
			CodeFragment:  true,
			FormPost:      true,
			AuthMethods:   []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"},
			Registration:  []string{"code", "id_token", "code id_token"},
			IDTokenAlgs:   []string{"RS256"},
			UserInfoAlgs:  []string{"RS256"},
			Refresh:       Refresh{Issued: true},
			NoPrompt:      "interaction_required",
			Revocation:    true,
			OneAtATime:    true, // on SQLite
			PKCE:          true,
		},
		Oddities: []Oddity{
			{"iss is percent-encoded twice in a form post", EncodedIssuer},
			{"client_secret_basic is not percent-decoded", RawCredentials},
			{"the hybrid flow is answered in the query unless the request names a mode", NamedMode},
			{"a client that registers without token_endpoint_auth_method is public", NamedMethod},
			// So "id_token token" would need "token", which Rely does not register:
			// it would bring a login without an ID Token.
			{"response types are registered word by word", SingleWords},
			{"the endpoint is the audience of a client assertion", EndpointAudience},
			{"registration is answered with 200", ""},
			{"a registration that is read has token_endpoint_auth_method as an array", ""},
			{"iss is in the authentication response and not announced", ""},
			{"ID Tokens are under one algorithm, whatever is registered", ""},
			{"a UserInfo JWT has typ token-userinfo+jwt", ""},
			{"auth_time is 0 where max_age is asked for", ""},
			{"the token response has iat", ""},
			{"the response types of the metadata have another order of words", ""},
		},
		issuerPath: "/api/oidc",
		readyPath:  "/config",
		command:    glewlwydCommand,
		setUp:      glewlwydSetUp,
		page:       glewlwydPage,
	}
}

// glewlwydRoot is where the package is: unpacked beside its configuration, or
// else installed.
func glewlwydRoot() (string, error) {
	ops, err := opsDir()
	if err != nil {
		return "", err
	}
	for _, root := range []string{filepath.Join(ops, "glewlwyd", ".root"), "/"} {
		if _, err := os.Stat(filepath.Join(root, glewlwydProgram)); err == nil {
			return root, nil
		}
	}
	return "", fmt.Errorf("%w: glewlwyd", ErrAbsent)
}

// glewlwydCommand makes an empty database and a configuration.
func glewlwydCommand(ctx context.Context, c launch.Config, dir string) (command, error) {
	root, err := glewlwydRoot()
	if err != nil {
		return command{}, err
	}
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		return command{}, fmt.Errorf("%w: sqlite3", ErrAbsent)
	}
	schema, err := os.Open(filepath.Join(root, glewlwydSchema))
	if err != nil {
		return command{}, fmt.Errorf("%w: the database schema of glewlwyd", ErrAbsent)
	}
	defer schema.Close()
	database := filepath.Join(dir, "glewlwyd.db")
	// A start that is tried again begins with a new database.
	if err := os.Remove(database); err != nil && !errors.Is(err, os.ErrNotExist) {
		return command{}, err
	}
	fill := exec.CommandContext(ctx, sqlite, database)
	fill.Stdin = schema
	if out, err := fill.CombinedOutput(); err != nil {
		return command{}, fmt.Errorf("making the database of glewlwyd: %w\n%s", err, out)
	}

	t, err := template.New("glewlwyd.conf").Parse(glewlwydTemplate)
	if err != nil {
		return command{}, err
	}
	var text strings.Builder
	if err := t.Execute(&text, struct {
		launch.Config
		Modules, Database, Pages string
	}{c, filepath.Join(root, glewlwydModules), database, filepath.Join(dir, "pages")}); err != nil {
		return command{}, err
	}
	// Its own login page, in JavaScript, is in no package; a browser that goes
	// there must find something, to do what that one does.
	if err := os.MkdirAll(filepath.Join(dir, "pages"), 0o700); err != nil {
		return command{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "pages", "login.html"), []byte("<!doctype html><title>Log in</title><h1>Log in</h1>"), 0o600); err != nil {
		return command{}, err
	}
	config := filepath.Join(dir, "glewlwyd.conf")
	return command{dir: dir, args: []string{filepath.Join(root, glewlwydProgram), "--config-file=" + config}},
		os.WriteFile(config, []byte(text.String()), 0o600)
}

// glewlwydSetUp makes the OP, its scopes, its user and its clients over the
// program's administration API, whose first account comes with the database.
func glewlwydSetUp(ctx context.Context, o *OP) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	admin := glewlwydAPI{client: &http.Client{Transport: o.transport, Jar: jar, Timeout: requestTimeout}, base: o.host + "/api"}
	if err := admin.call(ctx, http.MethodPost, "/auth/", map[string]string{"username": "admin", "password": "password"}); err != nil {
		return err
	}
	for _, scope := range []string{"profile", "email"} {
		if err := admin.call(ctx, http.MethodPost, "/scope/", map[string]any{
			"name": scope, "display_name": scope, "password_required": false, "scheme": struct{}{},
		}); err != nil {
			return err
		}
	}
	plugin, err := glewlwydPlugin(o)
	if err != nil {
		return err
	}
	if err := admin.call(ctx, http.MethodPost, "/mod/plugin/", plugin); err != nil {
		return err
	}
	if err := admin.call(ctx, http.MethodPost, "/user/", map[string]any{
		"username": o.User.Username, "password": o.User.Password, "name": o.User.Name, "email": o.User.Email,
		"scope": []string{"openid", "profile", "email"}, "enabled": true,
	}); err != nil {
		return err
	}
	for _, c := range o.Clients {
		if err := admin.call(ctx, http.MethodPost, "/client/", glewlwydClient(c)); err != nil {
			return err
		}
	}
	return nil
}

// glewlwydPlugin describes the OP: the program itself serves several protocols,
// each by a plugin.
func glewlwydPlugin(o *OP) (map[string]any, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"module": "oidc", "name": path.Base(o.Peer.issuerPath), "display_name": "Interoperability tests",
		"parameters": map[string]any{
			"iss":                              o.Issuer,
			"jwt-type":                         "rsa",
			"jwt-key-size":                     "256",
			"key":                              string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
			"cert":                             string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
			"code-duration":                    600,
			"access-token-duration":            600,
			"refresh-token-duration":           3600,
			"refresh-token-rolling":            false,
			"allow-non-oidc":                   false,
			"subject-type":                     "public",
			"oauth-as-iss-id":                  true,
			"pkce-allowed":                     true,
			"auth-type-code-enabled":           true,
			"auth-type-code-revoke-replayed":   true,
			"auth-type-token-enabled":          true,
			"auth-type-implicit-enabled":       true,
			"auth-type-refresh-enabled":        true,
			"auth-type-none-enabled":           false,
			"auth-type-password-enabled":       false,
			"auth-type-client-enabled":         false,
			"auth-type-device-enabled":         false,
			"introspection-revocation-allowed": true,
			"introspection-revocation-allow-target-client": true,
			"register-client-allowed":                      true,
			"register-client-auth-scope":                   []string{},
			"register-client-credentials-scope":            []string{"openid"},
			"register-client-management-allowed":           true,
			"request-parameter-allow":                      true,
			"client-jwks-parameter":                        "jwks",
			"name-claim":                                   "on-demand",
			"name-claim-scope":                             []string{"profile"},
			"email-claim":                                  "on-demand",
			"email-claim-scope":                            []string{"email"},
			"session-management-allowed":                   true,
			"session-cookie-name":                          "GLEWLWYD2_OIDC_SID",
			"session-cookie-expiration":                    3600,
		},
	}, nil
}

// glewlwydClient translates a client into the program's own words.
func glewlwydClient(c launch.Client) map[string]any {
	// It has a switch for each part of a response type.
	parts := map[string]bool{"refresh_token": true}
	for _, t := range c.ResponseTypes {
		for part := range strings.FieldsSeq(t) {
			parts[part] = true
		}
	}
	var types []string
	for part := range parts {
		types = append(types, part)
	}
	out := map[string]any{
		"client_id":                  c.ID,
		"name":                       c.ID,
		"enabled":                    true,
		"confidential":               c.AuthMethod != "none",
		"scope":                      []string{},
		"redirect_uri":               c.RedirectURIs,
		"authorization_type":         types,
		"token_endpoint_auth_method": []string{c.AuthMethod},
	}
	if c.Secret != "" {
		out["password"], out["client_secret"] = c.Secret, c.Secret
	}
	if len(c.JWKS) > 0 {
		out["jwks"] = c.JWKS
	}
	return out
}

// glewlwydPage does what the script of the program's login page does: it logs
// in, grants the scopes, and goes back to where the page was asked for.
func glewlwydPage(ctx context.Context, b *Browser, at *url.URL) (string, error) {
	if path.Base(at.Path) != "login.html" {
		return "", errNotScripted
	}
	q := at.Query()
	api := glewlwydAPI{client: b.client, base: at.Scheme + "://" + at.Host + "/api"}
	if err := api.call(ctx, http.MethodPost, "/auth/", map[string]string{
		"username": b.user.Username, "password": b.user.Password,
	}); err != nil {
		return "", err
	}
	if err := api.call(ctx, http.MethodPut, "/auth/grant/"+url.PathEscape(q.Get("client_id")), map[string]string{
		"scope": q.Get("scope"),
	}); err != nil {
		return "", err
	}
	return q.Get("callback_url") + "&g_continue=", nil
}

// glewlwydAPI calls the program's own API, with the cookies of whoever it is
// for.
type glewlwydAPI struct {
	client *http.Client
	base   string
}

func (a glewlwydAPI) call(ctx context.Context, method, path string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxPage))
		return fmt.Errorf("glewlwyd: %s %s: %s: %s", method, path, resp.Status, excerpt(string(answer)))
	}
	return nil
}
