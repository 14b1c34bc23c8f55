package oidc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rely.example/internal/fetch"
	"rely.example/internal/jose"
)

// Provider is an OP that we know: its metadata and its keys. It is made by
// Discover or NewProvider, is safe for concurrent use and lasts as long as the
// program: discovered metadata and keys are fetched anew by age, in passing,
// and the last good copy stays in use while the OP fails.
type Provider struct {
	env   *env
	url   string // the issuer that was asked for; "" for metadata given by hand
	state atomic.Pointer[providerState]

	refresh sync.Mutex // held by the one caller that fetches metadata anew
	failed  atomic.Pointer[failedFetch]
}

// providerState is one immutable reading of the metadata.
type providerState struct {
	md   ProviderMetadata
	keys keySource
	due  time.Time // when to fetch the metadata anew; zero: never
	// fetched is when the metadata was; zero if it was given by hand.
	fetched time.Time
}

// keySource verifies a signature with the OP's keys, and has those to encrypt for
// the OP.
type keySource interface {
	Verify(ctx context.Context, token string, algs []string) (jose.Verified, error)
	Keys(ctx context.Context) (*jose.KeySet, error)
	Close()
}

const (
	// retryMetadata is how long after a failure the metadata is fetched again.
	retryMetadata = time.Minute
	// retryAbandoned is the same after a caller gave up, which says nothing of the
	// OP, and which a stranger's browser can.
	retryAbandoned = time.Second
)

// Discover fetches the metadata of issuer and checks it (Discovery section 4).
// The document is at issuer + "/.well-known/openid-configuration"; if that is
// not there (404), at the place of RFC 8414 section 3, where the well-known part
// stands between host and path.
//
// The document's issuer must be the one that was asked for, byte for byte
// (Discovery section 4.3), and every endpoint an https URL.
func Discover(ctx context.Context, issuer string, o *Options) (_ *Provider, err error) {
	e, err := newEnv(o)
	if err != nil {
		return nil, err
	}
	ctx, call := e.call(ctx, "Discover", issuer, "")
	defer call.end(&err)
	if pe := e.checkIssuer(StepDiscovery, issuer); pe != nil {
		if pe.Reason == BadMetadata {
			return nil, &InputError{Reason: BadConfig, Field: "issuer", Detail: pe.Detail, Err: pe}
		}
		return nil, pe
	}
	p := &Provider{env: e, url: issuer}
	md, err := p.fetchMetadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.install(md); err != nil {
		return nil, err
	}
	return p, nil
}

// NewProvider makes a Provider from metadata that is known already: a struct
// written by hand, or one read by ParseProviderMetadata. Nothing is fetched
// until keys are needed. The specified defaults are filled in.
func NewProvider(md ProviderMetadata, o *Options) (*Provider, error) {
	e, err := newEnv(o)
	if err != nil {
		return nil, err
	}
	md = md.clone()
	md.fillDefaults()
	if err := e.checkMetadata(e.checker(context.Background(), StepDiscovery), &md); err != nil {
		return nil, err
	}
	p := &Provider{env: e}
	if err := p.install(md); err != nil {
		return nil, err
	}
	return p, nil
}

// Issuer returns the issuer identifier, as tokens must name it.
func (p *Provider) Issuer() string { return p.md().Issuer }

// Metadata returns a copy of the metadata in use.
func (p *Provider) Metadata() ProviderMetadata { return p.md().clone() }

func (p *Provider) md() *ProviderMetadata { return &p.state.Load().md }

// Close ends a fetch of keys that is under way and closes idle connections. What
// was fetched stays usable; nothing more is fetched in the background. A Provider
// that lasts as long as the program need not be closed.
func (p *Provider) Close() {
	p.state.Load().keys.Close()
	p.env.http.CloseIdleConnections()
}

// Reload fetches discovered metadata anew, now. On error the metadata in use
// stays in use. For metadata given by hand it does nothing.
func (p *Provider) Reload(ctx context.Context) (err error) {
	ctx, call := p.call(ctx, "Reload")
	defer call.end(&err)
	if p.url == "" {
		return nil
	}
	p.refresh.Lock()
	defer p.refresh.Unlock()
	return p.reload(ctx)
}

// freshen fetches the metadata anew if it is due. One caller does, the others go
// on with what is there; a failure is nobody's but the trace's to see, since the
// last good copy stays (hostile catalogue cases 38 and 40).
func (p *Provider) freshen(ctx context.Context) {
	s := p.state.Load()
	if s.due.IsZero() || p.env.now().Before(s.due) || !p.refresh.TryLock() {
		return
	}
	defer p.refresh.Unlock()
	err := p.reload(ctx)
	if err == nil {
		return
	}
	pause := retryMetadata
	if errors.Is(err, context.Canceled) {
		pause = retryAbandoned
	} else {
		p.env.trace.notice(ctx, Notice{Kind: NoticeStale, Step: StepDiscovery, Detail: "the metadata could not be fetched anew; the last copy stays", Err: err})
	}
	late := *p.state.Load()
	late.due = p.env.now().Add(pause)
	p.state.Store(&late)
}

// suspect has the metadata fetched anew by the next Begin: an endpoint that it
// names is not there.
func (p *Provider) suspect() {
	s := p.state.Load()
	if s.due.IsZero() {
		return
	}
	if soon := p.env.now().Add(retryMetadata); soon.Before(s.due) {
		early := *s
		early.due = soon
		p.state.CompareAndSwap(s, &early)
	}
}

func (p *Provider) reload(ctx context.Context) error {
	md, err := p.fetchMetadata(ctx)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			p.failed.Store(&failedFetch{p.env.now(), err})
		}
		return err
	}
	if s := p.state.Load(); s != nil && md.Issuer != s.md.Issuer {
		// Clients, grants and users are known by the issuer: it never changes
		// under them.
		return &ProtocolError{Reason: MetadataIssuerMismatch, Step: StepDiscovery, Spec: "Discovery 4.3",
			Detail: detail(s.md.Issuer, md.Issuer)}
	}
	return p.install(md)
}

// install puts checked metadata into use, with its keys.
func (p *Provider) install(md ProviderMetadata) error {
	s := &providerState{md: md}
	if p.url != "" {
		s.fetched = p.env.now()
		p.failed.Store(nil)
		age := p.env.opts.MetadataAge
		if age == 0 {
			age = DefaultMetadataAge
		}
		if age > 0 {
			// Up to a tenth earlier, so that many instances do not ask at once.
			s.due = p.env.now().Add(age - time.Duration(rand.Int64N(int64(age)/10+1)))
		}
	}
	old := p.state.Load()
	switch {
	case old != nil && old.md.JWKSURI == md.JWKSURI && old.keys != nil:
		s.keys = old.keys
	case md.JWKSURI != "":
		s.keys = p.env.remoteKeys(md.JWKSURI)
	case len(md.JWKS) > 0:
		set, err := jose.ParseKeySet(md.JWKS)
		if err != nil {
			return &InputError{Reason: BadConfig, Field: "ProviderMetadata.JWKS", Detail: err.Error(), Err: err}
		}
		s.keys = staticKeys{set}
	default:
		s.keys = noKeys{}
	}
	p.state.Store(s)
	if old != nil && old.keys != s.keys {
		old.keys.Close()
	}
	return nil
}

// fetchMetadata fetches and checks the document.
func (p *Provider) fetchMetadata(ctx context.Context) (ProviderMetadata, error) {
	c := p.env.checker(ctx, StepDiscovery)
	body, strict, err := p.fetchDocument(ctx)
	if err != nil {
		return ProviderMetadata{}, err
	}
	md, err := ParseProviderMetadata(body)
	if err != nil {
		return ProviderMetadata{}, c.failed(err.(*ProtocolError), "the metadata is JSON")
	}
	if md.Issuer == "" {
		return ProviderMetadata{}, c.failed(&ProtocolError{Reason: MissingMetadata, Spec: "Discovery 3", Detail: "issuer is missing"}, "issuer is present")
	}
	if t := p.env.opts.Tenants; t != nil {
		// The document is of all tenants; the Provider is known by the URL that
		// was asked for, which is a URL, as a template is not.
		if err := c.that(t.describes(md.Issuer), MetadataIssuerMismatch, "Discovery 4.3", "issuer is the template of the tenants", t.Template, md.Issuer); err != nil {
			return ProviderMetadata{}, err
		}
		md.Issuer = p.url
	}
	if md.Issuer != p.url && !p.env.opts.InsecureSkipIssuerMatch {
		err := &ProtocolError{Reason: MetadataIssuerMismatch, Spec: "Discovery 4.3", Detail: detail(p.url, md.Issuer)}
		if strings.TrimSuffix(md.Issuer, "/") == strings.TrimSuffix(p.url, "/") {
			err.Detail += "; use the issuer exactly as the OP writes it"
		}
		return ProviderMetadata{}, c.failed(err, "issuer is the URL that was asked")
	}
	if err := c.that(true, MetadataIssuerMismatch, "Discovery 4.3", "issuer is the URL that was asked", p.url, md.Issuer); err != nil {
		return ProviderMetadata{}, err
	}
	if strict {
		if err := checkRequired(c, &md); err != nil {
			return ProviderMetadata{}, err
		}
	}
	return md, p.env.checkMetadata(c, &md)
}

// fetchDocument finds the document. strict is true for one at the place of
// OpenID Connect Discovery, whose required members RFC 8414 does not all know.
func (p *Provider) fetchDocument(ctx context.Context) (body []byte, strict bool, err error) {
	// Discovery section 4.1: a terminating slash of the issuer goes first.
	base := strings.TrimSuffix(p.url, "/")
	u, _ := url.Parse(base)
	origin := u.Scheme + "://" + u.Host
	path := u.EscapedPath()
	places := []string{base + "/.well-known/openid-configuration"}
	if path != "" {
		// RFC 8414 section 5: an OP may serve either form under its old name.
		places = append(places, origin+"/.well-known/openid-configuration"+path)
	}
	places = append(places, origin+"/.well-known/oauth-authorization-server"+path)
	for i, place := range places {
		res, err := p.env.do(ctx, &fetch.Request{Purpose: StepDiscovery, URL: place, Accept: []string{"application/json"}})
		switch {
		case err != nil:
			return nil, false, err
		case res.Status == 200:
			return res.Body, i < len(places)-1, nil
		case res.Status >= 500 || res.Status == http.StatusTooManyRequests:
			// The OP is down, which breaks no rule and passes.
			return nil, false, p.env.refused(StepDiscovery, res)
		case res.Status != 404:
			return nil, false, p.env.checker(ctx, StepDiscovery).failed(&ProtocolError{Reason: UnexpectedStatus, Spec: "Discovery 4.2",
				Detail: "status " + strconv.Itoa(res.Status) + " from " + place}, "the metadata is served")
		}
	}
	return nil, false, p.env.checker(ctx, StepDiscovery).failed(&ProtocolError{Reason: UnexpectedStatus, Spec: "Discovery 4.2",
		Detail: "status 404 from " + places[0] + "; is the issuer right?"}, "the metadata is served")
}

// checkRequired asks for the members that Discovery section 3 requires and whose
// lack would not show elsewhere.
func checkRequired(c *checker, md *ProviderMetadata) error {
	for _, m := range []struct {
		name    string
		present bool
	}{
		{"authorization_endpoint", md.AuthorizationEndpoint != ""},
		{"jwks_uri", md.JWKSURI != ""},
		{"response_types_supported", len(md.ResponseTypesSupported) > 0},
		{"subject_types_supported", len(md.SubjectTypesSupported) > 0},
		{"id_token_signing_alg_values_supported", len(md.IDTokenSigningAlgValuesSupported) > 0},
	} {
		if !m.present {
			return c.failed(&ProtocolError{Reason: MissingMetadata, Spec: "Discovery 3",
				Detail: m.name + " is missing; if the OP does not mend it, give the metadata by hand with NewProvider"}, "the required members are present")
		}
	}
	return c.that(true, MissingMetadata, "Discovery 3", "the required members are present", "", "")
}

// checkMetadata checks every URL that we may send something to. A document with
// one bad endpoint is refused whole, so that nothing bad is met later.
func (e *env) checkMetadata(c *checker, md *ProviderMetadata) error {
	if err := e.checkIssuer(StepDiscovery, md.Issuer); err != nil {
		return c.failed(err, "issuer is an https URL without query or fragment")
	}
	title := "endpoints are https URLs"
	if e.opts.InsecureAllowHTTP {
		title = "endpoints are https URLs, or http as allowed"
	}
	for _, ep := range md.endpoints() {
		if ep.url == "" {
			if strings.HasPrefix(ep.name, "mtls_") {
				return c.failed(&ProtocolError{Reason: BadMetadata, Spec: "RFC 8705 5", Detail: ep.name + " is empty"}, title)
			}
			continue
		}
		if _, err := e.http.CheckURL(ep.url); err != nil {
			return c.failed(unusable(StepDiscovery, "Discovery 3", ep.name, err), title)
		}
	}
	return c.that(true, BadMetadata, "Discovery 3", title, "", "")
}

// unusable is the error for a member that is no URL to ask at.
func unusable(step, spec, member string, err error) *ProtocolError {
	pe, ok := fetchFailed(step, err).(*ProtocolError)
	if !ok {
		pe = &ProtocolError{Reason: BadMetadata, Detail: printable(err.Error())}
	}
	pe.Step, pe.Spec, pe.Detail = step, spec, member+": "+pe.Detail
	return pe
}

// remoteKeys is the key set at a jwks_uri. It belongs to this Provider alone:
// keys are never shared between issuers (hostile catalogue case 69).
func (e *env) remoteKeys(uri string) keySource {
	return jose.NewRemote(jose.RemoteConfig{
		Now:          e.opts.Now,
		FetchTimeout: max(e.config.Timeout, DefaultTimeout), // below it there is room for the retry
		Fetch: func(ctx context.Context) (jose.Fetched, error) {
			res, err := e.do(ctx, &fetch.Request{Purpose: StepKeys, URL: uri,
				Accept: []string{"application/json", "application/jwk-set+json"}})
			if err != nil {
				return jose.Fetched{}, err
			}
			if res.Status != 200 {
				return jose.Fetched{}, e.refused(StepKeys, res)
			}
			return jose.Fetched{Body: res.Body, CacheControl: res.Header.Get("Cache-Control")}, nil
		},
		Observe: e.alarm,
	})
}

// alarm tells the trace of keys that no OP should publish: whoever reads the set
// can sign with them (hostile catalogue cases 51 and 52). They are not used.
func (e *env) alarm(ev jose.RemoteEvent) {
	e.tellKeys(ev)
	k := e.checker(context.Background(), StepKeys)
	for _, s := range ev.Skipped {
		if s.Why == jose.PrivateKey || s.Why == jose.SymmetricKey {
			_ = k.tell(false, BadKeySet, "RFC 7517 9.3", "the key set holds public keys alone", "the key "+quote(s.ID)+" is not used: "+string(s.Why))
		}
	}
}

// tellKeys tells the trace why keys were fetched, and what came of it.
func (e *env) tellKeys(ev jose.RemoteEvent) {
	if e.trace == nil || e.trace.Notice == nil {
		return
	}
	ctx := context.Background()
	if ev.Retried {
		e.trace.notice(ctx, Notice{Kind: NoticeRetry, Step: StepKeys, Detail: "the keys were asked for a second time"})
	}
	if ev.Err != nil {
		e.trace.notice(ctx, Notice{Kind: NoticeStale, Step: StepKeys, Detail: "the keys could not be fetched (" + string(ev.Cause) + "); the last copy stays, if there is one", Err: ev.Err})
		return
	}
	e.trace.notice(ctx, Notice{Kind: NoticeKeys, Step: StepKeys,
		Detail: fmt.Sprintf("fetched (%s): %d keys, fresh for %v", ev.Cause, ev.Keys, ev.Fresh)})
}

type staticKeys struct{ set *jose.KeySet }

func (s staticKeys) Verify(_ context.Context, token string, algs []string) (jose.Verified, error) {
	return s.set.Verify(token, algs)
}

func (s staticKeys) Keys(context.Context) (*jose.KeySet, error) { return s.set, nil }

func (staticKeys) Close() {}

type noKeys struct{}

func (noKeys) Close() {}

func (noKeys) Verify(context.Context, string, []string) (jose.Verified, error) {
	return jose.Verified{}, lacksKeys()
}

func (noKeys) Keys(context.Context) (*jose.KeySet, error) { return nil, lacksKeys() }

func lacksKeys() error {
	return &ProtocolError{Reason: KeysUnavailable, Step: StepKeys, Spec: "Discovery 3", Detail: "the metadata has neither jwks_uri nor a key set"}
}
