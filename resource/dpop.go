package resource

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rely.example/internal/jose"
	"rely.example/internal/seal"
	"rely.example/internal/strictjson"
	"rely.example/store"
)

// StepProof is the Step of the checks of a DPoP proof.
const StepProof = "DPoP proof"

const (
	proofClass = "proof:" // of store keys
	noncePlace = "dpop-nonce"
	nonceUse   = "nonce"
	// maxNonce bounds a nonce that is looked at, in bytes. Ours are shorter.
	maxNonce = 256
)

// proof is a DPoP proof that was checked, and not yet used up.
type proof struct {
	thumbprint string // of its key
	id         string
}

// checkProof makes the checks of RFC 9449 section 4.3, which numbers them. The
// last one, that the key is the token's, is the token's own.
func (s *Server) checkProof(ctx context.Context, r *http.Request, token string) (*proof, error) {
	lines := r.Header.Values("Dpop")
	that := func(passed bool, spec, title, detail string) error {
		return s.that(ctx, passed, &Error{Reason: BadProof, Spec: spec, Detail: detail}, title)
	}
	if err := that(len(lines) == 1, "RFC 9449 4.3 (1)", "there is one DPoP proof", fmt.Sprintf("there are %d", len(lines))); err != nil {
		return nil, err
	}
	if err := that(len(lines[0]) <= MaxProof, "RFC 9449 4.3 (2)", "the proof is not too long", fmt.Sprintf("it has %d bytes", len(lines[0]))); err != nil {
		return nil, err
	}
	signed, cause := jose.VerifyProof(lines[0], s.c.ProofAlgorithms)
	if cause != nil {
		return nil, s.that(ctx, false, &Error{Reason: BadProof, Spec: "RFC 9449 4.3 (2, 5, 6, 7)", Err: cause}, "the proof is signed by the key in its header")
	}
	if err := that(true, "RFC 9449 4.3 (2, 5, 6, 7)", "the proof is signed by the key in its header", ""); err != nil {
		return nil, err
	}
	if err := that(strings.EqualFold(strings.TrimPrefix(signed.Header.Type, "application/"), "dpop+jwt"), "RFC 9449 4.3 (4)", "typ is dpop+jwt",
		fmt.Sprintf("got %.60q", signed.Header.Type)); err != nil {
		return nil, err
	}
	c, cause := readProof(signed.Payload)
	if cause != nil {
		return nil, s.that(ctx, false, &Error{Reason: BadProof, Spec: "RFC 9449 4.3 (3)", Err: cause}, "the claims are there")
	}
	if err := that(c.jti != "" && c.htm != "" && c.htu != "" && c.hasIAT, "RFC 9449 4.3 (3)", "the claims are there", "expected jti, htm, htu and iat"); err != nil {
		return nil, err
	}
	if err := that(c.htm == r.Method, "RFC 9449 4.3 (8)", "htm is the method", fmt.Sprintf("expected %s, got %.60q", r.Method, c.htm)); err != nil {
		return nil, err
	}
	here := s.origin + normalPath(requestPath(r))
	if err := that(normalURL(c.htu) == here, "RFC 9449 4.3 (9)", "htu is the URL", fmt.Sprintf("expected %.200q, got %.200q", here, c.htu)); err != nil {
		return nil, err
	}
	if s.c.RequireNonce {
		if err := s.that(ctx, s.knownNonce(c.nonce), &Error{Reason: NonceNeeded, Spec: "RFC 9449 4.3 (10)", Detail: "it is in the DPoP-Nonce header of the answer"},
			"nonce is one of ours"); err != nil {
			return nil, err
		}
	}
	now := s.now()
	if err := that(c.iat.Sub(now) <= s.skew && now.Sub(c.iat) <= s.c.ProofAge+s.skew, "RFC 9449 4.3 (11)", "the proof is new",
		"iat is "+c.iat.UTC().Format(time.RFC3339)+", now is "+now.UTC().Format(time.RFC3339)); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(token))
	ath := base64.RawURLEncoding.EncodeToString(sum[:])
	if err := that(subtle.ConstantTimeCompare([]byte(c.ath), []byte(ath)) == 1, "RFC 9449 4.3 (12)", "ath is the access token's", ""); err != nil {
		return nil, err
	}
	return &proof{thumbprint: signed.Thumbprint, id: c.jti}, nil
}

// proofClaims are those of RFC 9449 section 4.2.
type proofClaims struct {
	jti, htm, htu, ath, nonce string
	iat                       time.Time
	hasIAT                    bool
}

func readProof(payload string) (c proofClaims, err error) {
	err = strictjson.Scan(payload, func(name, value string) error {
		text := func(to *string) error {
			var ok bool
			if *to, ok = strictjson.Text(value); !ok {
				return fmt.Errorf("%s is no string", name)
			}
			return nil
		}
		switch name {
		case "jti":
			return text(&c.jti)
		case "htm":
			return text(&c.htm)
		case "htu":
			return text(&c.htu)
		case "ath":
			return text(&c.ath)
		case "nonce":
			return text(&c.nonce)
		case "iat":
			secs, err := strictjson.ParseSeconds(value)
			if err != nil {
				return fmt.Errorf("iat is no NumericDate that a clock can show")
			}
			c.iat, c.hasIAT = secs.Time(), true
		}
		return nil
	})
	return c, err
}

// useUp notes that a proof was used (RFC 9449 section 11.1). It is kept until it
// is too old by every clock that we would believe.
func (s *Server) useUp(ctx context.Context, p *proof) error {
	keep := s.c.ProofAge + 2*s.skew + time.Second
	_, err := s.c.Store.Create(ctx, store.Record{Key: seal.Hashed(proofClass, p.thumbprint+"\x00"+p.id), Expires: s.now().Add(keep)})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return &Error{Reason: StoreUnavailable, Detail: "noting a DPoP proof", Err: err}
	}
	return s.that(ctx, err == nil, &Error{Reason: ReplayedProof, Spec: "RFC 9449 11.1", Detail: "make a new one for each request"}, "jti was not used before")
}

// newNonce is a nonce that any process with our keys knows again: the time,
// sealed. Nothing is kept for it.
func (s *Server) newNonce() (string, error) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(s.now().Unix()))
	sealed, err := s.ring.Seal(nonceUse, noncePlace, b[:])
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (s *Server) knownNonce(nonce string) bool {
	if nonce == "" || len(nonce) > maxNonce {
		return false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil {
		return false
	}
	plain, err := s.ring.Open(nonceUse, noncePlace, sealed)
	if err != nil || len(plain) != 8 {
		return false
	}
	age := s.now().Sub(time.Unix(int64(binary.BigEndian.Uint64(plain)), 0))
	return age >= -s.skew && age <= s.c.NonceAge
}

// requestPath is the path as the client sent it, whatever a mux took away from
// it since.
func requestPath(r *http.Request) string {
	if uri := r.RequestURI; strings.HasPrefix(uri, "/") {
		path, _, _ := strings.Cut(uri, "?")
		return path
	} else if u, err := url.Parse(uri); uri != "" && err == nil {
		return u.EscapedPath()
	}
	return r.URL.EscapedPath()
}

// normalOrigin is an origin, with its path if it has one, as normalURL writes it.
func normalOrigin(raw string, allowHTTP bool) (string, error) {
	u, err := checkURL(raw, allowHTTP)
	if err != nil {
		return "", err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return "", errors.New("it has a query")
	}
	return strings.TrimSuffix(normalURL(raw), "/"), nil
}

// normalURL is a URL without query and fragment in the normal form of RFC 3986
// sections 6.2.2 and 6.2.3, as far as it does not guess: cases, percent-encodings
// and the scheme's own port, but no dots in a path. "" if it is no http URL.
func normalURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return ""
	}
	return scheme + "://" + host + normalPath(u.EscapedPath())
}

// normalPath decodes what needs no encoding and writes the rest in upper case.
func normalPath(path string) string {
	if path == "" {
		return "/"
	}
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		hi, lo := unhex(path[i+1]), unhex(path[i+2])
		if hi < 0 || lo < 0 {
			b.WriteByte(path[i])
			continue
		}
		c := byte(hi<<4 | lo)
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		i += 2
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
