package profile_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/vault"
	"rely.example/oidc"
)

func newStore(t *testing.T) *profile.Store {
	t.Helper()
	return &profile.Store{Vault: &vault.Vault{Dir: filepath.Join(t.TempDir(), "rely")}}
}

func keep(t *testing.T, s *profile.Store, name, issuer string) {
	t.Helper()
	p := &profile.Profile{Name: name, Facts: profile.Facts{Issuer: issuer, ClientID: "app", Connection: profile.Connection{CAFile: "/ca.pem"}},
		Registration: &oidc.Registration{ClientID: "app", Secret: "s3cret", Metadata: oidc.ClientMetadata{RedirectURIs: []string{"http://127.0.0.1/callback"}}}}
	if err := p.Keep(&oidc.Tokens{AccessToken: "at-1", TokenType: "Bearer", RefreshToken: "rt-1", Scopes: []string{"openid"}, Expiry: time.Unix(1e9, 0)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	s := newStore(t)
	keep(t, s, "work", "https://op.example")
	p, err := s.Load(t.Context(), "work")
	if err != nil {
		t.Fatal(err)
	}
	if p.Registration.Secret != "s3cret" || !p.HasTokens() || !p.Renewable || p.Connection.CAFile != "/ca.pem" {
		t.Fatalf("loaded %+v", p.Facts)
	}
	p.Forget()
	if p.HasTokens() || p.Renewable || !p.Expiry.IsZero() || p.ClientID != "app" {
		t.Fatalf("after Forget: %+v", p.Facts)
	}
	list, err := s.List()
	if err != nil || len(list) != 1 || list[0].Issuer != "https://op.example" || !list[0].Current {
		t.Fatalf("list %+v, %v", list, err)
	}
}

func TestNames(t *testing.T) {
	s := newStore(t)
	for _, c := range []struct{ issuer, want string }{
		{"https://op.example", "op.example"},
		{"https://op.example:8443", "op.example-8443"},
		{"https://op.example/tenant/a", "op.example-tenant-a"},
		{"https://OP.example/", "op.example"},
		{"https://[::1]:8443", "1--8443"},
		{"https://op.example/" + strings.Repeat("x", 300), "op.example-" + strings.Repeat("x", 69)},
	} {
		name, err := s.NameFor(c.issuer)
		if err != nil || name != c.want {
			t.Errorf("%s: %q, %v; want %q", c.issuer, name, err, c.want)
		}
		if err := vault.CheckName(name); err != nil {
			t.Error(err)
		}
	}
	keep(t, s, "op.example-8443", "https://op.example/8443")
	if name, err := s.NameFor("https://op.example:8443"); err != nil || name != "op.example-8443-2" {
		t.Errorf("a name of another issuer: %q, %v", name, err)
	}
	if name, err := s.NameFor("https://op.example/8443"); err != nil || name != "op.example-8443" {
		t.Errorf("the issuer's own: %q, %v", name, err)
	}
}

func TestSelect(t *testing.T) {
	s := newStore(t)
	if _, err := s.Select(""); !errors.Is(err, vault.ErrNotFound) {
		t.Fatalf("of none: %v, want ErrNotFound", err)
	}
	keep(t, s, "a", "https://a.example")
	if n, err := s.Select(""); n != "a" || err != nil {
		t.Fatalf("of one: %q, %v", n, err)
	}
	keep(t, s, "b", "https://b.example")
	keep(t, s, "b2", "https://b.example")
	if _, err := s.Select(""); !errors.Is(err, profile.ErrAmbiguous) {
		t.Fatalf("of three: %v, want ErrAmbiguous", err)
	}
	if n, err := s.Select("https://a.example/"); n != "a" || err != nil {
		t.Fatalf("by issuer: %q, %v", n, err)
	}
	if _, err := s.Select("https://b.example"); !errors.Is(err, profile.ErrAmbiguous) {
		t.Fatalf("by an issuer of two: %v, want ErrAmbiguous", err)
	}
	if err := s.Vault.SetCurrent("b2"); err != nil {
		t.Fatal(err)
	}
	for _, issuer := range []string{"", "https://b.example"} {
		if n, err := s.Select(issuer); n != "b2" || err != nil {
			t.Fatalf("the current one for %q: %q, %v", issuer, n, err)
		}
	}
	if _, err := s.Select("https://c.example"); !errors.Is(err, vault.ErrNotFound) {
		t.Fatalf("of an unknown issuer: %v, want ErrNotFound", err)
	}
}

func TestReplaceKeepsOneProfile(t *testing.T) {
	s := newStore(t)
	keep(t, s, "work", "https://op.example")
	p, err := s.Load(t.Context(), "work")
	if err != nil {
		t.Fatal(err)
	}
	q := &profile.Profile{Name: "work", Facts: p.Facts, Registration: p.Registration}
	if err := s.Replace(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	list, err := s.List()
	if err != nil || !slices.ContainsFunc(list, func(x profile.Summary) bool { return x.Name == "work" }) || len(list) != 1 {
		t.Fatalf("list %+v, %v", list, err)
	}
	if p, err := s.Load(t.Context(), "work"); err != nil || p.HasTokens() {
		t.Fatalf("the tokens are still there (%v)", err)
	}
}
