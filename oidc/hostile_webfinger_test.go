package oidc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

const issuerRel = "http://openid.net/specs/connect/1.0/issuer"

// find runs WebFinger for an identifier at op.
func find(t *testing.T, op *oidctest.OP, identifier string) (string, error) {
	t.Helper()
	return oidc.FindIssuer(t.Context(), identifier, options(op))
}

// links answers WebFinger with these links.
func links(op *oidctest.OP, l ...map[string]any) {
	op.TamperJRD(func(m map[string]any) {
		all := make([]any, len(l))
		for i := range l {
			all[i] = l[i]
		}
		m["links"] = all
	})
}

// TestHostileWebFinger breaks the way from an identifier to an issuer.
func TestHostileWebFinger(t *testing.T) {
	t.Run("001_xri_and_foreign_schemes", func(t *testing.T) {
		op := newOP(t)
		for _, id := range []string{"=nat", "@foo", "!bar", "xri:=nat", "xri://@foo", "XRI:@foo", "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x",
			"mailto:alice@example.com", "tel:+44", "device:laptop", "ftp://example.com/", "urn:x:y", "vbscript:x"} {
			_, err := find(t, op, id)
			if err == nil {
				t.Errorf("%q is accepted", id)
				continue
			}
			wantUnsupported(t, err)
		}
		for _, id := range []string{"", "   ", "acct:", "acct:@example.com", "acct:alice", "https:", "https://", "https:example.com", "http:///path", ":8443", "a@", "@", strings.Repeat("a", 3000)} {
			if _, err := find(t, op, id); err == nil {
				t.Errorf("%q is accepted", id)
			}
		}
		if n := len(op.Received()); n != 0 {
			t.Errorf("%d requests for identifiers that are none", n)
		}
	})
	t.Run("001_every_form_is_normalised", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.Hosts = []string{"op.test"} })
		port := op.Host[strings.LastIndexByte(op.Host, ':'):]
		for _, id := range []string{"alice@" + op.Host, "acct:alice@" + op.Host, "https://" + op.Host + "/alice", op.Host + "/alice", "HTTPS://" + op.Host + "/alice#frag",
			"alice@op.test" + port, "acct:alice@OP.TEST" + port, "https://op.test" + port + "/", "  alice@" + op.Host + " "} {
			iss, err := find(t, op, id)
			if err != nil || iss != op.Issuer {
				t.Errorf("%q: got %q, %v; want %q", id, iss, err, op.Issuer)
			}
		}
	})
	t.Run("002_redirect_to_http", func(t *testing.T) {
		op := newOP(t)
		op.Intercept(oidctest.EndpointWebFinger, redirect("http://"+op.Host+"/.well-known/webfinger"))
		_, err := find(t, op, "alice@"+op.Host)
		wantReason(t, err, oidc.UnexpectedRedirect)
		wantCalls(t, op, oidctest.EndpointWebFinger, 1)
	})
	t.Run("002_http_identifier", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.PlainHTTP = true })
		_, err := find(t, op, "http://"+op.Host+"/alice")
		wantReason(t, err, oidc.InsecureURL)
		if n := len(op.Received()); n != 0 {
			t.Errorf("%d requests in the clear", n)
		}
	})
	t.Run("002_http_where_it_is_allowed", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.PlainHTTP = true })
		o := options(op)
		o.InsecureAllowHTTP = true
		for _, id := range []string{"http://" + op.Host + "/alice", "alice@" + op.Host} {
			iss, err := oidc.FindIssuer(t.Context(), id, o)
			if err != nil || iss != op.Issuer {
				t.Errorf("%q: got %q, %v", id, iss, err)
			}
		}
	})

	for _, c := range []struct {
		name  string
		links []map[string]any
		want  oidc.Reason
	}{
		{"003_no_link", nil, oidc.NoIssuer},
		{"003_no_matching_rel", []map[string]any{{"rel": "http://webfinger.net/rel/profile-page", "href": "https://op.example"}}, oidc.NoIssuer},
		{"003_rel_in_another_case", []map[string]any{{"rel": strings.ToUpper(issuerRel), "href": "https://op.example"}}, oidc.NoIssuer},
		{"003_no_href", []map[string]any{{"rel": issuerRel}}, oidc.NoIssuer},
		{"003_href_null", []map[string]any{{"rel": issuerRel, "href": nil}}, oidc.NoIssuer},
		{"003_href_a_number", []map[string]any{{"rel": issuerRel, "href": 7}}, oidc.NoIssuer},
		{"003_href_a_list", []map[string]any{{"rel": issuerRel, "href": []any{"https://op.example"}}}, oidc.NoIssuer},
		{"003_href_empty", []map[string]any{{"rel": issuerRel, "href": ""}}, oidc.NoIssuer},
		{"003_the_first_bad_link_is_not_skipped", []map[string]any{{"rel": issuerRel, "href": 7}, {"rel": issuerRel, "href": "https://op.example"}}, oidc.NoIssuer},
		{"003_rel_a_number", []map[string]any{{"rel": 7, "href": "https://op.example"}}, oidc.MalformedResponse},
		{"003_href_relative", []map[string]any{{"rel": issuerRel, "href": "/issuer"}}, oidc.BadMetadata},
		{"003_href_http", []map[string]any{{"rel": issuerRel, "href": "http://op.example"}}, oidc.InsecureURL},
		{"003_href_javascript", []map[string]any{{"rel": issuerRel, "href": "javascript:alert(1)"}}, oidc.BadMetadata},
		{"003_href_with_a_query", []map[string]any{{"rel": issuerRel, "href": "https://op.example?x=1"}}, oidc.BadMetadata},
		{"003_href_with_a_fragment", []map[string]any{{"rel": issuerRel, "href": "https://op.example#x"}}, oidc.BadMetadata},
		{"003_href_with_a_user", []map[string]any{{"rel": issuerRel, "href": "https://good@op.example"}}, oidc.BadMetadata},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := newOP(t)
			links(op, c.links...)
			iss, err := find(t, op, "alice@"+op.Host)
			wantReason(t, err, c.want)
			if iss != "" {
				t.Errorf("an issuer beside the error: %q", iss)
			}
		})
	}
	t.Run("003_of_two_links_the_first", func(t *testing.T) {
		op := newOP(t)
		links(op, map[string]any{"rel": "self", "href": "https://other.example"}, map[string]any{"rel": issuerRel, "href": "https://first.example"}, map[string]any{"rel": issuerRel, "href": "https://second.example"})
		if iss, err := find(t, op, "alice@"+op.Host); err != nil || iss != "https://first.example" {
			t.Fatalf("got %q, %v", iss, err)
		}
	})
	t.Run("003_links_missing", func(t *testing.T) {
		op := newOP(t)
		op.TamperJRD(func(m map[string]any) { delete(m, "links") })
		_, err := find(t, op, "alice@"+op.Host)
		wantReason(t, err, oidc.NoIssuer)
	})

	t.Run("004_issuer_on_another_host", func(t *testing.T) {
		host, op := newOP(t), newOP(t)
		links(host, map[string]any{"rel": issuerRel, "href": op.Issuer})
		iss, err := find(t, host, "alice@"+host.Host)
		if err != nil || iss != op.Issuer {
			t.Fatalf("got %q, %v", iss, err)
		}
		tok := setup(t, op).mustLogin()
		if id := tok.IDToken.Identity(); id.Issuer != op.Issuer || strings.Contains(id.String(), host.Host) {
			t.Errorf("the identity %v is not (iss, sub) of the token", id)
		}
	})

	for _, host := range []string{"127.0.0.1", "127.8.8.8", "[::1]", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "[fc00::1]", "[fe80::1]", "0.0.0.0",
		"[::ffff:127.0.0.1]", "[::]", "100.64.0.1", "localhost", "[64:ff9b::7f00:1]"} {
		t.Run("005_private_address_"+strings.NewReplacer("[", "", "]", "", ":", "_", ".", "_").Replace(host), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			for _, id := range []string{"https://" + host + "/alice", "alice@" + host} {
				_, err := oidc.FindIssuer(ctx, id, nil)
				wantReason(t, err, oidc.ForbiddenAddress)
			}
		})
	}
	t.Run("005_a_name_that_leads_inside", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.Hosts = []string{"innocent.test"} })
		_, err := oidc.FindIssuer(t.Context(), "alice@innocent.test", &oidc.Options{HTTPClient: op.HTTPClient()})
		wantReason(t, err, oidc.ForbiddenAddress)
		if n := len(op.Received()); n != 0 {
			t.Errorf("%d requests to a loopback address", n)
		}
	})
	t.Run("005_octal_hex_and_short_addresses", func(t *testing.T) {
		for _, id := range []string{"alice@0x7f000001", "alice@2130706433", "alice@127.1", "alice@0177.0.0.1", "https://0x7f.0.0.1/", "https://127.0.0.0x1/", "https://[127.0.0.1]/", "https://[op.example]/", "https://[fe80::1%25eth0]/"} {
			_, err := oidc.FindIssuer(t.Context(), id, nil)
			wantReason(t, err, oidc.BadIdentifier)
		}
	})

	for _, port := range []int{22, 25, 80, 110, 143, 6379, 11211, 5432, 9200, 3306, 1, 65535} {
		t.Run(fmt.Sprintf("006_port_%d", port), func(t *testing.T) {
			for _, id := range []string{fmt.Sprintf("https://op.example:%d/alice", port), fmt.Sprintf("op.example:%d", port), fmt.Sprintf("acct:alice@op.example:%d", port)} {
				_, err := oidc.FindIssuer(t.Context(), id, nil)
				wantReason(t, err, oidc.ForbiddenAddress)
			}
		})
	}
	t.Run("006_a_port_that_is_allowed", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // the port passes, and nothing is sent
		_, err := oidc.FindIssuer(ctx, "op.example:8080", &oidc.Options{AllowPorts: []int{8080}})
		wantReason(t, err, oidc.Unreachable)
	})
	t.Run("006_ports_that_are_none", func(t *testing.T) {
		for _, id := range []string{"https://op.example:0/", "https://op.example:65536/", "https://op.example:x/", "https://op.example:/", "https://op.example:+443/", "https://op.example:-1/", "acct:a@op.example:"} {
			_, err := oidc.FindIssuer(t.Context(), id, nil)
			wantReason(t, err, oidc.BadIdentifier)
		}
	})

	for name, id := range map[string]string{
		"userinfo": "https://good.example@evil.example/", "userinfo_with_password": "https://good.example:x@evil.example/", "crlf": "alice@example.com\r\nHost: evil.example",
		"nul": "alice@example.com\x00", "tab": "https://exa\tmple.com", "backslash": `https://example.com\@evil.example`, "backslash_first": `\\evil.example\x`, "percent_host": "https://ex%61mple.com/",
		"percent_host_in_acct": "acct:alice@ex%61mple.com", "homograph": "alice@ex\u0430mple.com", "full_width_dot": "alice@example\u3002com", "two_ats": "a@b@example.com", "two_ats_acct": "acct:a@b@example.com",
		"acct_path": "acct:alice@example.com/x", "acct_query": "acct:alice@example.com?x", "empty_label": "alice@example..com", "leading_dash": "alice@-example.com", "space_inside": "alice @example.com",
		"unicode_override": "alice@example.com\u202e", "del": "alice@example.com\x7f", "two_ports": "https://example.com:443:443/", "user_at_port_empty_user": "@example.com:8443",
	} {
		t.Run("007_"+name, func(t *testing.T) {
			_, err := oidc.FindIssuer(t.Context(), id, nil)
			if err == nil {
				t.Fatalf("%q is accepted", id)
			}
			if _, ok := errors.AsType[*oidc.UnsupportedError](err); !ok {
				wantInput(t, err, oidc.BadIdentifier)
			}
			if strings.ContainsAny(err.Error(), "\r\n\x00\u202e") {
				t.Errorf("the error repeats control characters: %q", err)
			}
		})
	}

	for name, f := range hostileBodies("application/jrd+json", `"links":[]`) {
		t.Run("008_"+name, func(t *testing.T) {
			op := newOP(t)
			op.Intercept(oidctest.EndpointWebFinger, f.handler)
			o := options(op)
			o.Timeout = f.timeout
			_, err := oidc.FindIssuer(t.Context(), "alice@"+op.Host, o)
			wantReason(t, err, f.want)
		})
	}
	t.Run("008_html", func(t *testing.T) {
		op := newOP(t)
		op.Intercept(oidctest.EndpointWebFinger, respond(200, "text/html", "<p>hello"))
		_, err := find(t, op, "alice@"+op.Host)
		wantReason(t, err, oidc.UnexpectedMediaType)
	})
	t.Run("008_not_found", func(t *testing.T) {
		op := newOP(t)
		_, err := find(t, op, "nobody@"+op.Host)
		wantReason(t, err, oidc.NoIssuer)
	})
	t.Run("008_down", func(t *testing.T) {
		op := newOP(t)
		op.Intercept(oidctest.EndpointWebFinger, respond(503, "text/plain", "down"))
		_, err := find(t, op, "alice@"+op.Host)
		if oe, ok := errors.AsType[*oidc.OPError](err); !ok || !oe.Temporary() || oe.StatusCode != 503 {
			t.Fatalf("got %v, want a temporary failure of the host", err)
		}
	})
}

// TestIdentifiersAtTheBounds: what an identifier may be made of, and how long it and its
// parts may be.
func TestIdentifiersAtTheBounds(t *testing.T) {
	ask := func(id string) (*url.URL, error) {
		var asked *url.URL
		_, err := oidc.FindIssuer(t.Context(), id, &oidc.Options{HTTPClient: answers(404, nil, nil, func(r *http.Request) { asked = r.URL })})
		return asked, err
	}
	label := strings.Repeat("l", 63)
	longest := strings.Repeat(label+".", 3) + strings.Repeat("l", 253-3*64)
	for _, c := range []struct{ in, resource, host string }{
		{"https://example.com/" + strings.Repeat("x", 2048-20), "https://example.com/" + strings.Repeat("x", 2048-20), "example.com"},
		{label + ".example", "https://" + label + ".example", label + ".example"},
		{longest, "https://" + longest, longest},
		{"joe@azAZ09_-x.example", "acct:joe@azAZ09_-x.example", "azAZ09_-x.example"},
		{"example.com:8443", "https://example.com:8443", "example.com:8443"},
		{"joe@example.com:8443", "https://joe@example.com:8443", "example.com:8443"},
		{"httpuser@example.com:8443", "https://httpuser@example.com:8443", "example.com:8443"},
		{"joe@example.com/?from=https://rp.example", "https://joe@example.com/?from=https://rp.example", "example.com"},
	} {
		if u, err := ask(c.in); u == nil || u.Host != c.host || u.Scheme != "https" || u.Query().Get("resource") != c.resource {
			t.Errorf("%q: asks %v, %v", c.in, u, err)
		}
	}
	for _, in := range []string{
		"https://example.com/" + strings.Repeat("x", 2048-19), label + "l.example", longest + "l", "a.example-", "-a.example",
		`https://example.com/a\b`, "https://example.com/\x7f", "https://example.com/\u00e9", "joe@0x",
		"acct:@example.com", "https:example.com", "https://joe@example.com/", "https://@example.com/", "a@b@example.com:8443",
		":x", ":8443", "joe@example.com:", "example.com:0", "example.com:65536", "joe@example.com:+443", "/path", "?query", "acct:joe@/x", "",
		// No scheme has these, and no host.
		"1a:x", "a{b:c", "a[b:c", "a@b:c", "a;b:c", "a*b:c", "a`b:c",
		"joe@a`b.example", "joe@a{b.example", "joe@a[b.example", "joe@a;b.example", "joe@a+b.example", "joe@a~b.example", "joe@a,b.example",
	} {
		u, err := ask(in)
		if err == nil || u != nil {
			t.Errorf("%q: asks %v, %v", in, u, err)
			continue
		}
		if !errors.Is(err, oidc.BadIdentifier) {
			t.Errorf("%q: got %v", in, err)
		}
	}
	for _, in := range []string{"zZaA+-.09:x", "Z:x", "z:x", "xri:"} {
		_, err := ask(in)
		wantUnsupported(t, err)
	}
}

// TestWebFingerByHTTP: in the clear are asked, where it is allowed, loopback hosts and
// whoever was typed so.
func TestWebFingerByHTTP(t *testing.T) {
	for id, want := range map[string]string{
		"joe@example.com": "https", "joe@192.0.2.1": "https", "joe@localhost.example": "https", "http://example.com/joe": "http",
		"joe@localhost": "http", "joe@op.localhost": "http", "joe@127.0.0.1": "http", "https://[::1]/joe": "http",
	} {
		var asked *url.URL
		_, err := oidc.FindIssuer(t.Context(), id, &oidc.Options{
			InsecureAllowHTTP: true, AllowPrivate: []string{"localhost", "op.localhost", "127.0.0.1", "::1", "192.0.2.1"},
			HTTPClient: answers(404, nil, nil, func(r *http.Request) { asked = r.URL }),
		})
		if asked == nil || asked.Scheme != want {
			t.Errorf("%q: asks %v, %v; want %s", id, asked, err, want)
		}
	}
}

// TestWebFingerStatus: 200 alone names an issuer, and a host that is down says nothing of
// the identifier.
func TestWebFingerStatus(t *testing.T) {
	body := []byte(`{"links":[{"rel":"` + issuerRel + `","href":"https://op.example"}]}`)
	for status, down := range map[int]bool{201: false, 203: false, 404: false, 410: false, 499: false, 429: true, 500: true, 503: true} {
		network := answers(status, http.Header{"Content-Type": {"application/jrd+json"}}, body, nil)
		iss, err := oidc.FindIssuer(t.Context(), "joe@example.com", &oidc.Options{HTTPClient: network})
		if iss != "" {
			t.Errorf("status %d: names %q", status, iss)
		}
		if oe, ok := errors.AsType[*oidc.OPError](err); ok != down || ok && (oe.StatusCode != status || !oe.Temporary()) {
			t.Errorf("status %d: got %v", status, err)
		}
		if !down {
			wantReason(t, err, oidc.NoIssuer)
		}
	}
}

// hostileBody is an answer that must be stopped within a bound.
type hostileBody struct {
	handler http.HandlerFunc
	timeout time.Duration // zero: the default
	want    oidc.Reason
}

// hostileBodies are answers that no exchange may read without end. member is a
// member that a good answer would have.
func hostileBodies(mediaType, member string) map[string]hostileBody {
	return map[string]hostileBody{
		"endless": {want: oidc.ResponseTooLarge, handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			chunk := bytes.Repeat([]byte("["), 64<<10)
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}},
		"gzip_bomb": {want: oidc.ResponseTooLarge, handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			chunk := bytes.Repeat([]byte(" "), 1<<20)
			for range 16 {
				if _, err := z.Write(chunk); err != nil {
					return
				}
			}
			_ = z.Close()
		}},
		"slow_loris": {want: oidc.Unreachable, timeout: 50 * time.Millisecond, handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
		"deep":       {want: oidc.MalformedResponse, handler: respond(200, mediaType, `{`+member+`,"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`)},
		"null":       {want: oidc.MalformedResponse, handler: respond(200, mediaType, `null`)},
		"array":      {want: oidc.MalformedResponse, handler: respond(200, mediaType, `[{`+member+`}]`)},
		"string":     {want: oidc.MalformedResponse, handler: respond(200, mediaType, `"{}"`)},
		"number":     {want: oidc.MalformedResponse, handler: respond(200, mediaType, `7`)},
		"empty":      {want: oidc.MalformedResponse, handler: respond(200, mediaType, ``)},
		"truncated":  {want: oidc.MalformedResponse, handler: respond(200, mediaType, `{`+member)},
		"bom":        {want: oidc.MalformedResponse, handler: respond(200, mediaType, "\ufeff{"+member+"}")},
		"trailing":   {want: oidc.MalformedResponse, handler: respond(200, mediaType, `{`+member+`}{}`)},
		"duplicates": {want: oidc.MalformedResponse, handler: respond(200, mediaType, `{`+member+`,`+member+`}`)},
		"not_utf8":   {want: oidc.MalformedResponse, handler: respond(200, mediaType, `{`+member+",\"x\":\"\xff\xfe\"}")},
		"utf16":      {want: oidc.UnexpectedMediaType, handler: respond(200, mediaType+"; charset=utf-16", "{}")},
	}
}

// respond answers with fixed bytes.
func respond(status int, mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// redirect answers with a redirect that keeps method and body.
func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}
