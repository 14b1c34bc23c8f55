package oidc_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

var parFaults = map[oidctest.Fault]outcome{
	oidctest.PARNoRequestURI: oidc.BadPARResponse, oidctest.PARRequestURINumber: oidc.MalformedResponse, oidctest.PARRequestURIEmpty: oidc.BadPARResponse,
	oidctest.PARRequestURILong: oidc.BadPARResponse, oidctest.PARRequestURIControl: oidc.BadPARResponse,
	oidctest.PARExpiresMissing: oidc.BadPARResponse, oidctest.PARExpiresZero: oidc.BadPARResponse, oidctest.PARExpiresNegative: oidc.BadPARResponse, oidctest.PARExpiresText: oidc.BadPARResponse,
	oidctest.PARRedirect: oidc.UnexpectedRedirect, oidctest.PARRefused: "op: invalid_request", oidctest.PARClientRefused: "op: invalid_client", oidctest.PARUnavailable: opFailure,
	oidctest.PARHTML: oidc.UnexpectedMediaType, oidctest.PARNull: oidc.MalformedResponse, oidctest.PARDuplicate: oidc.MalformedResponse, oidctest.PAREndless: oidc.ResponseTooLarge,
	oidctest.PARErrorIn200: "op: invalid_request", oidctest.PARStatusOK: harmless,
}

func requirePAR(c *oidctest.Config) { c.RequirePAR = true }

func always(c *oidc.ClientConfig) { c.PAR = oidc.PARAlways }

func TestPARIsChosenWhereItIsRequired(t *testing.T) {
	r := setup(t, newOP(t, requirePAR))
	r.mustLogin()
	wantCalls(t, r.op, oidctest.EndpointPAR, 1)
}

func TestPARIsChosenWhereItIsRegistered(t *testing.T) {
	r := setup(t, newOP(t), func(m *oidc.ClientMetadata) { m.RequirePushedAuthorizationRequests = true })
	if !r.reg.Metadata.RequirePushedAuthorizationRequests {
		t.Fatal("it was not registered")
	}
	r.mustLogin()
	wantCalls(t, r.op, oidctest.EndpointPAR, 1)
}

func TestPARIsNotChosenWhereNobodyAsks(t *testing.T) {
	r := setup(t, newOP(t))
	r.mustLogin()
	wantNoCall(t, r.op, oidctest.EndpointPAR)
}

// TestPARCarriesTwoParameters: the browser's URL has client_id and request_uri and
// nothing else (RFC 9126 section 4), and what was pushed has no credential in it.
func TestPARCarriesTwoParameters(t *testing.T) {
	r := setup(t, newOP(t))
	r.client(always)
	before := r.op.Now()
	req, err := r.c.Begin(t.Context(), oidc.AuthParams{LoginHint: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(req.URL())
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); len(q) != 2 || q.Get("client_id") != r.c.ID() || !strings.HasPrefix(q.Get("request_uri"), "urn:") {
		t.Errorf("the URL carries %v", q)
	}
	if life := req.Expires.Sub(before); life <= 0 || life > time.Minute+5*time.Second {
		t.Errorf("the request lives %v, the OP said a minute", life)
	}
	form := r.op.Requests(oidctest.EndpointPAR)[0].Form
	for name, want := range map[string]string{"state": req.Pending.State, "nonce": req.Pending.Nonce, "login_hint": "alice", "code_challenge_method": "S256"} {
		if form.Get(name) != want {
			t.Errorf("%s was pushed as %q", name, form.Get(name))
		}
	}
	if form.Has("client_secret") {
		t.Error("the secret is in the body, though the client authenticates by client_secret_basic")
	}
}

func TestPARWithEveryAuthenticationMethod(t *testing.T) {
	for _, method := range []string{oidc.AuthNone, oidc.AuthSecretBasic, oidc.AuthSecretPost, oidc.AuthSecretJWT, oidc.AuthPrivateKey} {
		t.Run(method, func(t *testing.T) {
			r := setupWith(t, newOP(t, requirePAR), []oidc.Key{keyFor(t, "ES256")}, func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = method })
			r.mustLogin()
			got := r.op.Requests(oidctest.EndpointPAR)[0].Auth
			want := method
			if strings.HasSuffix(method, "_jwt") {
				want = "client_assertion"
			}
			if got.Method != want {
				t.Errorf("authenticated by %s", got.Method)
			}
		})
	}
}

func TestPARByPost(t *testing.T) {
	r := setup(t, newOP(t, requirePAR))
	r.params.Post = true
	req, err := r.c.Begin(t.Context(), r.params)
	if err != nil {
		t.Fatal(err)
	}
	if _, fields := req.Form(); len(fields) != 2 {
		t.Errorf("the form carries %v", fields)
	}
	r.mustLogin()
}

func TestPARRefusedAtConstruction(t *testing.T) {
	t.Run("never_where_required", func(t *testing.T) {
		r := setup(t, newOP(t, requirePAR))
		c := r.reg.ClientConfig()
		c.PAR = oidc.PARNever
		_, err := oidc.NewClient(r.p, c)
		wantUnsupported(t, err)
	})
	t.Run("always_without_endpoint", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { delete(m, "pushed_authorization_request_endpoint") })
		r := setup(t, op)
		c := r.reg.ClientConfig()
		c.PAR = oidc.PARAlways
		_, err := oidc.NewClient(r.p, c)
		wantUnsupported(t, err)
	})
	t.Run("no_mode", func(t *testing.T) {
		r := setup(t, newOP(t))
		c := r.reg.ClientConfig()
		c.PAR = 9
		_, err := oidc.NewClient(r.p, c)
		wantInput(t, err, oidc.BadConfig)
	})
}

// TestPARBecomesRequired: the OP changes its mind while the program runs.
func TestPARBecomesRequired(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	op.TamperMetadata(func(m map[string]any) { m["require_pushed_authorization_requests"] = true })
	if err := r.p.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mustLogin()
	wantCalls(t, op, oidctest.EndpointPAR, 1)
	r.client(func(c *oidc.ClientConfig) {})
	never := r.reg.ClientConfig()
	never.PAR = oidc.PARNever
	_, err := oidc.NewClient(r.p, never)
	wantUnsupported(t, err)
}

// TestPARAnswers: what a success is, at the bounds of request_uri and expires_in.
func TestPARAnswers(t *testing.T) {
	r := setup(t, newOP(t))
	r.client(always)
	answer := func(uri, expires string) string {
		return `{"request_uri":` + string(marshal(uri)) + `,"expires_in":` + expires + `}`
	}
	const uri = "urn:example:1"
	longest := "urn:" + strings.Repeat("x", oidc.MaxRequestURI-len("urn:"))
	for name, c := range map[string]struct {
		status int
		body   string
		want   outcome
	}{
		"201":                     {201, answer(uri, "60"), harmless},
		"200":                     {200, answer(uri, "60"), harmless},
		"202":                     {202, answer(uri, "60"), opFailure},
		"not_json":                {201, "{", oidc.MalformedResponse},
		"error_in_200":            {200, `{"error":"invalid_request"}`, "op: invalid_request"},
		"error_beside_a_success":  {201, `{"error":"invalid_request",` + answer(uri, "60")[1:], "op: invalid_request"},
		"uri_of_the_bound":        {201, answer(longest, "60"), harmless},
		"uri_beyond_it":           {201, answer(longest+"x", "60"), oidc.BadPARResponse},
		"uri_empty":               {201, answer("", "60"), oidc.BadPARResponse},
		"uri_not_there":           {201, `{"expires_in":60}`, oidc.BadPARResponse},
		"uri_with_a_bad_escape":   {201, answer("https://op.example/%zz", "60"), oidc.BadPARResponse},
		"uri_with_a_space":        {201, answer("urn:example: 1", "60"), oidc.BadPARResponse},
		"uri_outside_ascii":       {201, answer("urn:example:\u00e9", "60"), oidc.BadPARResponse},
		"uri_of_the_ends_of_them": {201, answer("urn:example:!~", "60"), harmless},
		"expires_1":               {201, answer(uri, "1"), harmless},
		"expires_0":               {201, answer(uri, "0"), oidc.BadPARResponse},
		"expires_negative":        {201, answer(uri, "-1"), oidc.BadPARResponse},
		"expires_not_there":       {201, `{"request_uri":"` + uri + `"}`, oidc.BadPARResponse},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			r.op.Intercept(oidctest.EndpointPAR, respond(c.status, "application/json", c.body))
			req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
			wantOutcome(t, r, err, c.want)
			if (req == nil) != (err != nil) {
				t.Errorf("a request beside an error, or neither: %v, %v", req, err)
			}
		})
	}
}

// TestPARNothingToPush: a request object that cannot be made is not sent, and one too
// long for a URL is pushed to no OP that has no endpoint for it.
func TestPARNothingToPush(t *testing.T) {
	r := setupWith(t, newOP(t), []oidc.Key{keyFor(t, "ES256")})
	r.client(objects, always)
	_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{"iss": {"x"}}})
	wantInput(t, err, oidc.ProtectedParameter)
	wantNoCall(t, r.op, oidctest.EndpointPAR)

	op := newOP(t)
	op.TamperMetadata(func(m map[string]any) { delete(m, "pushed_authorization_request_endpoint") })
	r = setup(t, op)
	_, err = r.c.Begin(t.Context(), oidc.AuthParams{LoginHint: strings.Repeat("x", oidc.MaxAuthURL)})
	wantInput(t, err, oidc.RequestTooLong)
}

// TestPARFromTheLengthOfAURL: as long as MaxAuthURL it is a URL, longer it is pushed.
func TestPARFromTheLengthOfAURL(t *testing.T) {
	r := setup(t, newOP(t))
	begin := func(hint int) string {
		t.Helper()
		much := []string{strings.Repeat("x", 3000)}
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{LoginHint: strings.Repeat("x", hint), UILocales: much, ACRValues: much})
		if err != nil {
			t.Fatal(err)
		}
		return req.URL()
	}
	room := oidc.MaxAuthURL - len(begin(1)) + 1
	if got := len(begin(room)); got != oidc.MaxAuthURL {
		t.Fatalf("a URL of %d bytes, want the bound", got)
	}
	wantNoCall(t, r.op, oidctest.EndpointPAR)
	begin(room + 1)
	wantCalls(t, r.op, oidctest.EndpointPAR, 1)
}

func TestHostilePAR(t *testing.T) {
	// A request too long for a URL is pushed where the OP takes that, posted where
	// the application says so, and otherwise refused in words.
	words := strings.Repeat("urn:example:x ", 200)
	long := oidc.AuthParams{LoginHint: "alice", ACRValues: strings.Fields(words), UILocales: strings.Fields(words), ClaimsLocales: strings.Fields(words)}
	t.Run("093_pushed", func(t *testing.T) {
		r := setup(t, newOP(t))
		req, err := r.c.Begin(t.Context(), long)
		if err != nil {
			t.Fatal(err)
		}
		if len(req.URL()) > oidc.MaxAuthURL {
			t.Errorf("a URL of %d bytes", len(req.URL()))
		}
		wantCalls(t, r.op, oidctest.EndpointPAR, 1)
	})
	t.Run("093_posted", func(t *testing.T) {
		r := setup(t, newOP(t))
		p := long
		p.Post = true
		if _, err := r.c.Begin(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		wantNoCall(t, r.op, oidctest.EndpointPAR)
	})
	t.Run("093_refused", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.client(func(c *oidc.ClientConfig) { c.PAR = oidc.PARNever })
		_, err := r.c.Begin(t.Context(), long)
		wantInput(t, err, oidc.RequestTooLong)
		wantNoCall(t, r.op, oidctest.EndpointPAR)
	})
	t.Run("325_fresh_push_for_each_login", func(t *testing.T) {
		r := setup(t, newOP(t, requirePAR))
		seen := make(map[string]bool)
		for range 3 {
			req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
			if err != nil {
				t.Fatal(err)
			}
			_, fields := req.Form()
			if uri := fields.Get("request_uri"); seen[uri] {
				t.Errorf("%s was used before", uri)
			} else {
				seen[uri] = true
			}
		}
		wantCalls(t, r.op, oidctest.EndpointPAR, 3)
	})
	t.Run("325_nothing_in_the_url_after_a_refusal", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.client(always)
		r.op.Break(oidctest.PARUnavailable)
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		r.refusal(err, "")
		if req != nil {
			t.Errorf("a request beside the error: %v", req)
		}
	})
	t.Run("325_credentials_follow_no_redirect", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.client(always)
		for _, status := range []int{301, 302, 303, 307, 308} {
			r.op.Intercept(oidctest.EndpointPAR, redirectInside(r.op, status))
			r.op.ClearLog()
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{})
			r.reason(err, oidc.UnexpectedRedirect)
			if got := r.op.Received(); len(got) != 1 || !slices.Equal([]oidctest.Endpoint{got[0].Endpoint}, []oidctest.Endpoint{oidctest.EndpointPAR}) {
				t.Errorf("status %d: followed to %v", status, got)
			}
		}
	})
}
