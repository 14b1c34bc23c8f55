package oidc

import (
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rely.example/internal/jose"
)

// AuthResponse is an authentication response as it came: read, and nothing of it
// believed. It is made by one of the Read functions and used by Client.Finish.
type AuthResponse struct {
	mode   string
	at     string // scheme, host and path it came to; "" where that is not known for sure
	params url.Values
	opened bool // params are what a JWT held that was verified
}

// responseParams are the parameters that an authentication response may have and
// that mean something here. One of them twice is an attack or a fault (hostile
// catalogue cases 102 and 103); others are ignored (RFC 6749 section 4.1.2).
var responseParams = []string{"code", "state", "iss", "id_token", "access_token", "token_type", "expires_in", "scope",
	"error", "error_description", "error_uri", "session_state", "response"}

// ReadAuthResponse reads the request by which a browser delivers a response to
// the redirect URI: a GET with a query, or a POST with a form (Form Post Response
// Mode). A fragment never reaches a server by itself; the page that catches it
// hands it to ReadAuthFragment.
//
// Nothing but a navigation is read: other methods, and prefetches, are refused
// with NotANavigation, so that no link preview uses up a login. The body is read
// up to MaxAuthResponse.
func ReadAuthResponse(r *http.Request) (AuthResponse, error) {
	refuse := func(detail string) (AuthResponse, error) {
		return AuthResponse{}, &ProtocolError{Reason: NotANavigation, Step: StepAuthorization, Spec: "RFC 6749 4.1.2", Detail: detail}
	}
	if p := r.Header.Get("Sec-Purpose") + r.Header.Get("Purpose"); strings.Contains(p, "prefetch") || strings.Contains(p, "prerender") {
		return refuse("the browser is prefetching")
	}
	if len(r.URL.RawQuery) > MaxAuthResponse {
		return tooLong()
	}
	switch r.Method {
	case "", http.MethodGet:
		return ReadAuthQuery(r.URL.RawQuery)
	case http.MethodPost:
	default:
		return refuse("method " + quote(r.Method) + "; expected GET or POST")
	}
	ct := r.Header.Get("Content-Type")
	if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/x-www-form-urlencoded" {
		// Refused before the body is read (hostile catalogue case 113).
		return refuse("content type " + quote(ct) + "; expected application/x-www-form-urlencoded")
	}
	if r.Body == nil {
		return refuse("the form is empty")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxAuthResponse+1))
	if err != nil {
		return AuthResponse{}, &TransportError{Step: StepAuthorization, Detail: "the browser's form could not be read", Err: err}
	}
	if len(body) > MaxAuthResponse {
		return tooLong()
	}
	form, err := parseParams(string(body))
	if err != nil {
		return AuthResponse{}, err
	}
	// What the URL says beside a form could contradict it (case 109). Other
	// parameters are the redirect URI's own.
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return AuthResponse{}, unreadable()
	}
	for _, k := range responseParams {
		if query.Has(k) {
			return AuthResponse{}, &ProtocolError{Reason: DuplicateParameter, Step: StepAuthorization, Spec: "Form Post Response Mode 2",
				Detail: k + " is in the URL of a form post"}
		}
	}
	return newAuthResponse(ModeFormPost, form)
}

// ReadAuthURL reads the URL that a browser was sent to: its fragment if it has
// one, or else its query. If it is absolute, Finish also compares it, up to the
// query, with the redirect URI of the login (WrongRedirectURI).
func ReadAuthURL(raw string) (AuthResponse, error) {
	a, err := readAuthURL(raw)
	if err != nil {
		return AuthResponse{}, err
	}
	if place, _, _ := cutAny(raw, "?#"); strings.Contains(place, ":") {
		a.at = place
	}
	return a, nil
}

func readAuthURL(raw string) (AuthResponse, error) {
	if len(raw) > MaxAuthResponse+MaxAuthURL {
		return tooLong()
	}
	rest, fragment, ok := strings.Cut(raw, "#")
	_, query, _ := strings.Cut(rest, "?")
	if !ok || fragment == "" {
		return ReadAuthQuery(query)
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return AuthResponse{}, unreadable()
	}
	for _, k := range responseParams {
		if q.Has(k) {
			return AuthResponse{}, &ProtocolError{Reason: DuplicateParameter, Step: StepAuthorization, Spec: "Multiple Response Types 2.1",
				Detail: k + " is in the query of a response that came as a fragment"}
		}
	}
	return ReadAuthFragment(fragment)
}

// ReadAuthQuery reads a raw query, without the question mark.
func ReadAuthQuery(query string) (AuthResponse, error) { return readParams(ModeQuery, query) }

// ReadAuthFragment reads a raw fragment, with or without the hash sign, as a
// page at the redirect URI caught it.
func ReadAuthFragment(fragment string) (AuthResponse, error) {
	return readParams(ModeFragment, strings.TrimPrefix(fragment, "#"))
}

// ReadAuthForm reads the fields of a form that was parsed already.
func ReadAuthForm(form url.Values) (AuthResponse, error) {
	n, own := 0, make(url.Values, len(responseParams))
	for k, vs := range form {
		for _, v := range vs {
			n += len(k) + len(v)
		}
		own[k] = slices.Clone(vs)
	}
	if n > MaxAuthResponse {
		return tooLong()
	}
	return newAuthResponse(ModeFormPost, own)
}

func readParams(mode, raw string) (AuthResponse, error) {
	if len(raw) > MaxAuthResponse {
		return tooLong()
	}
	v, err := parseParams(raw)
	if err != nil {
		return AuthResponse{}, err
	}
	return newAuthResponse(mode, v)
}

func parseParams(raw string) (url.Values, error) {
	v, err := url.ParseQuery(raw)
	if err != nil {
		return nil, unreadable()
	}
	return v, nil
}

func unreadable() error {
	return &ProtocolError{Reason: MalformedAuthResponse, Step: StepAuthorization, Spec: "RFC 6749 B", Detail: "the parameters cannot be decoded"}
}

func tooLong() (AuthResponse, error) {
	return AuthResponse{}, &ProtocolError{Reason: MalformedAuthResponse, Step: StepAuthorization,
		Detail: fmt.Sprintf("it is longer than %d bytes", MaxAuthResponse)}
}

// newAuthResponse keeps v, and of it what means something here.
func newAuthResponse(mode string, v url.Values) (AuthResponse, error) {
	for k, vs := range v {
		if len(vs) == 0 || !slices.Contains(responseParams, k) {
			delete(v, k)
		}
	}
	for _, k := range responseParams {
		if len(v[k]) > 1 {
			return AuthResponse{}, &ProtocolError{Reason: DuplicateParameter, Step: StepAuthorization, Spec: "RFC 6749 3.1", Detail: k + " occurs more than once"}
		}
	}
	if len(v) == 0 {
		return AuthResponse{}, &ProtocolError{Reason: NotANavigation, Step: StepAuthorization, Spec: "Core 3.1.2.5", Detail: "there is no parameter of a response"}
	}
	if v.Has("response") {
		// JARM section 2.1: all of it is in the JWT. What stands beside could
		// contradict what is signed (hostile catalogue case 122).
		if len(v) > 1 {
			return AuthResponse{}, &ProtocolError{Reason: UnexpectedParameter, Step: StepAuthorization, Spec: "JARM 2.1", Detail: "there are plain parameters beside the signed response"}
		}
		mode += securedSuffix
	}
	return AuthResponse{mode: mode, params: v}, nil
}

// Mode is the way the response came: one of the Mode constants but ModeJWT.
func (a AuthResponse) Mode() string { return a.mode }

// PendingKey returns the state that the response claims, by which to find the
// Pending. It proves nothing: anybody can send any state, and Finish compares
// it. A response without state is refused with BadState.
//
// Of a response that is a JWT (JARM) the state is read before the signature is
// verified, since the Pending says with whose keys. One that is encrypted is
// refused with BadEncryption: Client.PendingKey opens it, or that of JWE where the
// client is not known yet.
func (a AuthResponse) PendingKey() (string, error) { return a.pendingKey(nil, nil) }

func (a AuthResponse) pendingKey(e Encryption, keys []jose.DecryptionKey) (string, error) {
	s := a.params.Get("state")
	if isSecured(a.mode) {
		var refused *ProtocolError
		if s, refused = openState(a.params.Get("response"), e, keys); refused != nil {
			return "", refused
		}
	}
	if s == "" {
		return "", &ProtocolError{Reason: BadState, Step: StepAuthorization, Spec: "Core 3.1.2.7", Detail: "the response has no state"}
	}
	if len(s) > MaxState {
		return "", &ProtocolError{Reason: BadState, Step: StepAuthorization, Spec: "Core 3.1.2.7", Detail: fmt.Sprintf("the state is longer than %d bytes", MaxState)}
	}
	return s, nil
}

// Format prints which parameters came, and no value.
func (a AuthResponse) Format(f fmt.State, _ rune) {
	redact(f, "oidc.AuthResponse", "Mode", a.mode, "Params", strings.Join(a.names(), ","))
}

// LogValue is what slog logs: no value.
func (a AuthResponse) LogValue() slog.Value {
	return slog.GroupValue(slog.String("mode", a.mode), slog.String("params", strings.Join(a.names(), ",")))
}

func (a AuthResponse) names() []string {
	var out []string
	for _, k := range responseParams {
		if a.params.Has(k) {
			out = append(out, k)
		}
	}
	return out
}
