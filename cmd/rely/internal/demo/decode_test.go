package demo

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
)

func TestInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", 59 * time.Second: "1 minute", 599 * time.Second: "10 minutes", 90 * time.Minute: "1 hour",
		26 * time.Hour: "1 day", 30 * 24 * time.Hour: "30 days", 3 * 366 * 24 * time.Hour: "3 years",
	} {
		if got := inWords(d); got != want {
			t.Errorf("inWords(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestTimesInJSON(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	lines := jsonLines([]byte(`{"exp":1700000600,"iat":1699999940,"expires_in":600,"nested":{"auth_time":1700000000},"client_secret_expires_at":0,"nbf":-1,"updated_at":99999999999999}`), now)
	notes := make(map[string]string)
	for _, l := range lines {
		name, _, _ := strings.Cut(strings.TrimSpace(l.Text), ":")
		notes[strings.Trim(name, `"`)] = l.Note
	}
	for name, want := range map[string]string{
		"exp": "2023-11-14 22:23:20 UTC, in 10 minutes", "iat": "2023-11-14 22:12:20 UTC, 1 minute ago", "auth_time": "2023-11-14 22:13:20 UTC, now",
		"client_secret_expires_at": "never", "expires_in": "", "nbf": "", "updated_at": "",
	} {
		if notes[name] != want {
			t.Errorf("%s: %q, want %q", name, notes[name], want)
		}
	}
	if jsonLines([]byte("no JSON"), now) != nil {
		t.Error("text was taken for JSON")
	}
}

func jwt(header, claims string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestSecretsAreMasked(t *testing.T) {
	const secret = "s3cr3t-v4lue"
	token := jwt(`{"alg":"none"}`, `{"sub":"alice","nonce":"`+secret+`"}`)
	m := message{Exchange: &oidc.Exchange{
		Method: "POST", URL: "https://op.example/token?code=" + secret, Status: 200,
		RequestHeader:  http.Header{"Authorization": {"Basic " + secret}, "Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {secret}},
		RequestBody:    "client_secret=" + secret + "&code=" + secret + "&client_assertion=" + token + "&grant_type=x",
		ResponseHeader: http.Header{"Content-Type": {"application/json"}, "Set-Cookie": {secret}},
		ResponseBody:   `{"access_token":"` + secret + `","id_token":"` + token + `","nested":{"refresh_token":"` + secret + `"},"scope":"openid"}`,
	}}
	masked := m.Exchange.Masked()
	m.maskedExchange = &masked
	join := func(reveal bool) string {
		var b strings.Builder
		for _, s := range m.sides(reveal, time.Now()) {
			b.WriteString(s.Line)
			for _, p := range s.Parts {
				b.WriteString("\n" + p.Title + "\n" + p.Text)
				for _, f := range p.Fields {
					b.WriteString(f.Name + ": " + f.Value + "\n")
				}
			}
		}
		return b.String()
	}
	if shown := join(false); strings.Contains(shown, secret) || strings.Contains(shown, token) {
		t.Errorf("masked, it shows a secret:\n%s", shown)
	}
	wantIn(t, join(false), "grant_type", "openid", "id_token, decoded: claims", "client_assertion, decoded: header", `"sub": "alice"`)
	wantIn(t, join(true), secret, token, "Basic "+secret)
	if !m.secrets() {
		t.Error("it is not known that there is something to reveal")
	}
}

func TestRecordIsBounded(t *testing.T) {
	r := newRecord(time.Now, loginSteps(choice{}), nil)
	r.begin(loginSteps(choice{})[0])
	for range maxMessages + 10 {
		r.exchange(t.Context(), oidc.Exchange{Step: oidc.StepWebFinger, Method: "GET", URL: "https://op.example/", ResponseBody: strings.Repeat("x", 2*maxKept)})
		for range 20 {
			r.addCheck(oidc.Check{Step: oidc.StepWebFinger, Title: "one", Detail: "a"})
		}
	}
	messages, checks, size := 0, 0, 0
	for _, s := range r.snapshot() {
		for _, m := range s.Messages {
			messages++
			checks += len(m.Checks)
			size += len(m.Exchange.ResponseBody) + len(m.maskedExchange.ResponseBody)
		}
	}
	if messages != maxMessages || checks != maxChecks || size > maxRecord+messages*100 {
		t.Errorf("%d messages, %d checks, %d bytes are kept", messages, checks, size)
	}
}

func FuzzJSONLines(f *testing.F) {
	f.Add([]byte(`{"exp":1,"a":["b"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines := jsonLines(b, time.Unix(0, 0))
		if len(lines) > maxLines+1 {
			t.Errorf("%d lines", len(lines))
		}
		for _, l := range lines {
			if l.Note != "" && !strings.Contains(l.Text, `": `) {
				t.Errorf("%q has the note %q", l.Text, l.Note)
			}
		}
	})
}
