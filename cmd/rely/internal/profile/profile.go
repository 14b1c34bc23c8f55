// Package profile is what the command remembers between two runs: at which OP,
// as which client, with which tokens. Profiles live in a vault.
package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/cmd/rely/internal/vault"
	"rely.example/oidc"
)

// Profile is one client at one OP.
type Profile struct {
	Name string
	Facts
	// Registration is the client, secrets included.
	Registration *oidc.Registration
	// Metadata is the provider metadata as it was last seen, or as the user
	// gave it if StaticMetadata is set.
	Metadata json.RawMessage
	// Tokens are what oidc.Tokens.Export wrote; nil if nobody is logged in.
	Tokens json.RawMessage

	record vault.Record
}

// Facts are the part of a profile that lists show. None is secret.
type Facts struct {
	Issuer   string `json:"issuer"`
	ClientID string `json:"client_id"`
	// Dynamic says that the client was registered by this command.
	Dynamic bool `json:"dynamic,omitempty"`
	// StaticMetadata says that the provider metadata came from a file.
	StaticMetadata bool       `json:"static_metadata,omitempty"`
	Connection     Connection `json:"connection,omitzero"`

	// What follows is of the login; zero if nobody is logged in.
	Subject   string    `json:"subject,omitempty"`
	Scopes    []string  `json:"scopes,omitempty"`
	LoggedIn  time.Time `json:"logged_in,omitzero"`
	Expiry    time.Time `json:"expiry,omitzero"`
	Renewable bool      `json:"renewable,omitempty"`
	// Refreshed counts what was saved after the login, so that a process that
	// waited for the lock sees that another one refreshed.
	Refreshed int `json:"refreshed,omitempty"`
}

// Connection is how the OP is reached, as the user allowed it at the login.
type Connection struct {
	AllowPrivate []string `json:"allow_private,omitempty"`
	CAFile       string   `json:"ca_file,omitempty"`
	KeyFile      string   `json:"key_file,omitempty"`
	Quirks       []string `json:"quirks,omitempty"`
	Asking       Asking   `json:"asking,omitzero"`
	// Tenants are those whose users may log in, at an OP of many; nil means that
	// the OP is one.
	Tenants *Tenants `json:"tenants,omitempty"`
	// OAuth says who the user is where the OP does OAuth 2.0 alone; nil means
	// OpenID Connect.
	OAuth                   *OAuth `json:"oauth,omitempty"`
	InsecureHTTP            bool   `json:"insecure_http,omitempty"`
	InsecureSkipIssuerMatch bool   `json:"insecure_skip_issuer_match,omitempty"`
}

// Asking is how the client asks, beyond what every client does. Each is a value of
// package oidc as it is written there; "" is its default.
type Asking struct {
	PAR  string `json:"par,omitempty"`
	DPoP string `json:"dpop,omitempty"`
	// Security is the security profile that the client follows, as --security
	// names it.
	Security string `json:"security,omitempty"`
	// RequestObject says that requests are signed.
	RequestObject bool `json:"request_object,omitempty"`
	// CertFile is the file of the client's certificate, and CertKeyFile that of
	// its private key; "" means no certificate.
	CertFile    string `json:"cert_file,omitempty"`
	CertKeyFile string `json:"cert_key_file,omitempty"`
}

// Tenants are oidc.Tenants.
type Tenants struct {
	Template string   `json:"template"`
	IDs      []string `json:"ids"`
}

// TenantTemplate is the issuer of any tenant, by the address that stands for many or
// for one of ids, or "". It is never what the OP says it is: an OP could then
// issue in another one's name.
func TenantTemplate(address string, ids []string) string {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	parts := strings.Split(address, "/")
	found := -1
	for i, p := range parts {
		if i < 3 || !slices.Contains([]string{"common", "organizations", "consumers"}, p) && !slices.Contains(ids, p) {
			continue
		}
		if found >= 0 {
			return ""
		}
		found = i
	}
	if found < 0 {
		return ""
	}
	parts[found] = oidc.TenantPlace
	return strings.Join(parts, "/")
}

// OAuth is oidc.OAuthOnly.
type OAuth struct {
	Endpoint      string      `json:"endpoint"`
	SubjectMember string      `json:"subject_member"`
	Header        http.Header `json:"header,omitempty"`
}

// HasTokens reports whether somebody is logged in.
func (p *Profile) HasTokens() bool { return p.Tokens != nil }

// Keep takes the tokens of a login or refresh.
func (p *Profile) Keep(t *oidc.Tokens) error {
	b, err := t.Export()
	if err != nil {
		return err
	}
	p.Tokens = b
	p.Scopes, p.Expiry, p.Renewable = t.Scopes, t.Expiry, t.RefreshToken != ""
	if t.IDToken != nil {
		p.Subject = t.IDToken.Subject
	}
	return nil
}

// Forget drops the tokens and keeps the client.
func (p *Profile) Forget() {
	p.Tokens = nil
	p.Subject, p.Scopes, p.Renewable, p.Refreshed = "", nil, false, 0
	p.LoggedIn, p.Expiry = time.Time{}, time.Time{}
}

// Sealed reports whether the profile was found or saved under a key of the
// keychain.
func (p *Profile) Sealed() bool { return p.record.Sealed }

// secrets is the half of a profile that is sealed.
type secrets struct {
	Registration json.RawMessage `json:"registration"`
	Metadata     json.RawMessage `json:"metadata,omitempty"`
	Tokens       json.RawMessage `json:"tokens,omitempty"`
}

// Store keeps profiles.
type Store struct{ Vault *vault.Vault }

// Load reads a profile.
func (s *Store) Load(ctx context.Context, name string) (*Profile, error) {
	r, err := s.Vault.Load(ctx, name)
	if errors.Is(err, vault.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s; rely profiles lists them, rely login makes one", err, name)
	}
	if err != nil {
		return nil, err
	}
	p := &Profile{Name: name, record: r}
	var sec secrets
	if err := errors.Join(json.Unmarshal(r.Public, &p.Facts), json.Unmarshal(r.Secret, &sec)); err != nil {
		return nil, s.damaged(name)
	}
	if p.Registration, err = oidc.ImportRegistration(sec.Registration); err != nil {
		return nil, s.damaged(name)
	}
	p.Metadata, p.Tokens = sec.Metadata, sec.Tokens
	return p, nil
}

func (s *Store) damaged(name string) error {
	return fmt.Errorf("the profile %s is damaged; rely logout --local --forget-client --profile %s removes it", name, name)
}

// Save writes a profile. The caller holds the lock of its name.
func (s *Store) Save(ctx context.Context, p *Profile) error {
	reg, err := p.Registration.Export()
	if err != nil {
		return err
	}
	secret, err := json.Marshal(secrets{Registration: reg, Metadata: p.Metadata, Tokens: p.Tokens})
	if err != nil {
		return err
	}
	public, err := json.Marshal(p.Facts)
	if err != nil {
		return err
	}
	p.record.Public, p.record.Secret = public, secret
	return s.Vault.Save(ctx, p.Name, &p.record)
}

// Replace saves a profile in the place of the one of that name, if there is one,
// and as sealed as that one was.
func (s *Store) Replace(ctx context.Context, p *Profile) error {
	r, err := s.Vault.Load(ctx, p.Name)
	switch {
	case err == nil:
		p.record = r
	case !errors.Is(err, vault.ErrNotFound):
		return err
	}
	return s.Save(ctx, p)
}

// Summary is a profile in a list.
type Summary struct {
	Name    string `json:"profile"`
	Current bool   `json:"current"`
	Sealed  bool   `json:"sealed"`
	Facts
	// Problem is why the profile cannot be read; the facts are then empty.
	Problem string `json:"problem,omitempty"`
}

// List returns all profiles by name, without asking the keychain.
func (s *Store) List() ([]Summary, error) {
	names, err := s.Vault.Names()
	if err != nil {
		return nil, err
	}
	current, err := s.Vault.Current()
	if err != nil {
		return nil, err
	}
	list := make([]Summary, 0, len(names))
	for _, n := range names {
		sum := Summary{Name: n, Current: n == current}
		public, sealed, err := s.Vault.Public(n)
		if err == nil {
			err = json.Unmarshal(public, &sum.Facts)
		}
		if err != nil {
			sum.Problem = err.Error()
		}
		sum.Sealed = sealed
		list = append(list, sum)
	}
	if len(list) == 1 {
		list[0].Current = true
	}
	return list, nil
}

// Select names the profile that a command is about when none is named: the only
// one of the issuer, or with issuer "" the only one there is, or the current one.
func (s *Store) Select(issuer string) (string, error) {
	list, err := s.List()
	if err != nil {
		return "", err
	}
	var found []string
	current := ""
	for _, sum := range list {
		if issuer != "" && !SameIssuer(sum.Issuer, issuer) {
			continue
		}
		found = append(found, sum.Name)
		if sum.Current {
			current = sum.Name
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case current != "":
		return current, nil
	case len(found) > 1:
		return "", fmt.Errorf("%w: %s; choose one with --profile", ErrAmbiguous, strings.Join(found, ", "))
	case issuer != "":
		return "", fmt.Errorf("%w of issuer %s; log in first: rely login %s", vault.ErrNotFound, issuer, issuer)
	}
	return "", fmt.Errorf("%w; log in first: rely login ISSUER", vault.ErrNotFound)
}

// ErrAmbiguous says that more than one profile fits.
var ErrAmbiguous = errors.New("several profiles fit")

// SameIssuer compares issuers as a user means them: a final slash makes no
// difference. The protocol compares exactly; this is to find a profile only.
func SameIssuer(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }

// NameFor makes a name for a profile of an issuer from its host and path, other
// than those that profiles of other issuers have.
func (s *Store) NameFor(issuer string) (string, error) {
	list, err := s.List()
	if err != nil {
		return "", err
	}
	taken := make(map[string]bool)
	for _, sum := range list {
		if SameIssuer(sum.Issuer, issuer) {
			return sum.Name, nil
		}
		taken[sum.Name] = true
	}
	base := nameOf(issuer)
	name := base
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return name, nil
}

// maxBase leaves room for a number within vault.CheckName's bound.
const maxBase = 80

func nameOf(issuer string) string {
	text := issuer
	if u, err := url.Parse(issuer); err == nil {
		text = u.Host + u.Path
	}
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	name := b.String()
	name = strings.Trim(name[:min(len(name), maxBase)], "-.")
	if name == "" {
		return "op"
	}
	return name
}
