package jose

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"rely.example/internal/strictjson"
)

// KeySet is a JWK Set (RFC 7517 section 5) parsed once: the keys in it that
// verify signatures. It never changes and may be used by any number of
// goroutines. A nil *KeySet has no keys.
type KeySet struct {
	keys    []*key
	sealing []*sealingKey // those that encrypt
	skipped []SkippedKey
	headers headerCache
	spaces  sync.Pool // of *workspace
}

// ParseKeySet reads a JWK Set. A key that cannot be used, or must not be, is
// left out and told by [KeySet.Skipped]; it spoils no other (RFC 7517 section 5,
// last paragraph). A text that is no set at all, longer than [MaxKeySet], of
// more than [MaxKeys] keys, or that names a member twice, is a [BadKeySet]. A
// set without any usable key is no error here: the issuer may have withdrawn
// them all.
func ParseKeySet(jwks []byte) (*KeySet, error) {
	if len(jwks) > MaxKeySet {
		return nil, refuse(BadKeySet, "longer than 1 MiB")
	}
	members, err := strictjson.Object(jwks)
	if err != nil {
		return nil, &Error{Reason: BadKeySet, Err: err}
	}
	list, there := members["keys"]
	if !there {
		return nil, refuse(BadKeySet, "no keys")
	}
	var raws []json.RawMessage
	if err := strictjson.Unmarshal(list, &raws); err != nil {
		return nil, &Error{Reason: BadKeySet, Detail: "keys", Err: err}
	}
	if len(raws) > MaxKeys {
		return nil, refuse(BadKeySet, "expected at most 100 keys, got "+strconv.Itoa(len(raws)))
	}
	s := &KeySet{keys: make([]*key, 0, len(raws))}
	for _, raw := range raws {
		if k, skipped := parseKey(raw); skipped != nil {
			s.skipped = append(s.skipped, *skipped)
			if k := parseSealingKey(raw, skipped); k != nil {
				s.sealing = append(s.sealing, k)
			}
		} else {
			s.keys = append(s.keys, k)
		}
	}
	return s, nil
}

// Len returns how many keys verify signatures.
func (s *KeySet) Len() int {
	if s == nil {
		return 0
	}
	return len(s.keys)
}

// Skipped tells which keys were left out and why, in the order of the set.
func (s *KeySet) Skipped() []SkippedKey {
	if s == nil {
		return nil
	}
	return slices.Clone(s.skipped)
}

// Verify checks the signature of a token whose alg is one of algs, and only then
// returns its payload. It tries the keys that carry the token's kid, or all if
// the token has none, as far as their kty, crv, use, key_ops and alg fit the
// token's alg; more than [MaxCandidates] of them are refused untried. If no key
// carries the kid, keys that carry none at all are tried. HMAC algorithms and
// "none" are never accepted, even if algs names them.
func (s *KeySet) Verify(token string, algs []string) (Verified, error) {
	v, err := s.verify(token, algs)
	if err != nil {
		return Verified{}, err
	}
	return v, nil
}

func (s *KeySet) verify(token string, algs []string) (Verified, *Error) {
	c, err := cutCompact(token)
	if err != nil {
		return Verified{}, err
	}
	if s == nil {
		s = &KeySet{}
	}
	choice := s.headers.find(c.header)
	known := choice != nil
	if known {
		// The same header made the same choice before; only the pin may differ.
		if !slices.Contains(algs, choice.header.Alg) {
			return Verified{}, notAllowed(choice.header.Alg, algs)
		}
	} else if choice, err = s.choose(c.header, algs); err != nil {
		return Verified{}, err
	}

	w := s.borrow()
	defer s.giveBack(w)
	if w.payload, err = decodeSegment(w.payload[:0], c.payload, "payload"); err != nil {
		return Verified{}, err
	}
	signature, err := decodeSignature(&w.signature, c.signature)
	if err != nil {
		return Verified{}, err
	}
	w.input = append(w.input[:0], c.input...)
	for _, k := range choice.keys {
		if k.verify(choice.alg, w.input, signature, w) {
			if !known {
				s.headers.add(choice)
			}
			return Verified{Header: choice.header, Payload: string(w.payload)}, nil
		}
	}
	return Verified{}, choice.rejected()
}

func (s *KeySet) borrow() *workspace {
	if w, ok := s.spaces.Get().(*workspace); ok {
		return w
	}
	return &workspace{}
}

func (s *KeySet) giveBack(w *workspace) {
	clear(w.payload) // it may say who somebody is
	if max(cap(w.input), cap(w.payload)) <= maxKeptInput {
		s.spaces.Put(w)
	}
}

// choice is what a header decides: the algorithm, and the keys to try.
type choice struct {
	encoded string // the header as it was sent
	header  Header
	alg     algorithm
	keys    []*key // at least one, at most MaxCandidates
	byID    bool   // the keys carry the token's kid
}

// choose parses a header, holds alg against algs, and only then looks at keys.
func (s *KeySet) choose(encoded string, algs []string) (*choice, *Error) {
	h, err := parseSignedHeader(encoded)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(algs, h.Alg) {
		return nil, notAllowed(h.Alg, algs)
	}
	a, known := lookup(h.Alg)
	switch {
	case h.Alg == "none":
		return nil, refuse(AlgNotAllowed, "none, where a signature is owed")
	case !known:
		return nil, refuse(UnsupportedAlg, quote(h.Alg))
	case a.family == hmacSHA:
		// Public keys are public: as an HMAC key one would let anybody sign.
		return nil, refuse(AlgNotAllowed, h.Alg+" with the keys of a JWK Set")
	}

	c := &choice{encoded: encoded, header: h, alg: a}
	if h.KeyID != "" {
		c.keys, c.byID = s.candidates(h, a, h.KeyID), true
		if c.keys == nil && !s.has(h.KeyID) {
			c.keys, c.byID = s.candidates(h, a, ""), false
		}
	} else {
		c.keys, c.byID = s.fitting(h, a), true
	}
	switch {
	case len(c.keys) == 0:
		return nil, refuse(NoKey, s.describe(h))
	case len(c.keys) > MaxCandidates:
		return nil, refuse(AmbiguousKey, strconv.Itoa(len(c.keys))+" keys fit "+quote(h.Alg)+" and kid "+quote(h.KeyID))
	}
	return c, nil
}

// candidates returns the keys whose kid is id, exactly, and that fit.
func (s *KeySet) candidates(h Header, a algorithm, id string) (fit []*key) {
	for _, k := range s.keys {
		if k.id == id && k.fits(h.Alg, a) {
			fit = append(fit, k)
		}
	}
	return fit
}

// fitting returns all keys that fit.
func (s *KeySet) fitting(h Header, a algorithm) (fit []*key) {
	for _, k := range s.keys {
		if k.fits(h.Alg, a) {
			fit = append(fit, k)
		}
	}
	return fit
}

func (s *KeySet) has(id string) bool {
	return slices.ContainsFunc(s.keys, func(k *key) bool { return k.id == id })
}

// describe tells for a NoKey what there was instead.
func (s *KeySet) describe(h Header) string {
	var b strings.Builder
	b.WriteString("for " + quote(h.Alg))
	if h.KeyID != "" {
		b.WriteString(" and kid " + quote(h.KeyID))
	}
	b.WriteString(" among " + strconv.Itoa(len(s.keys)) + " usable keys")
	for _, skipped := range s.skipped {
		if h.KeyID != "" && skipped.ID == h.KeyID {
			b.WriteString("; a key of that kid was left out: " + string(skipped.Why))
			break
		}
	}
	return b.String()
}

// rejected is the answer when every candidate has failed.
func (c *choice) rejected() *Error {
	if !c.byID {
		// Keys without a kid were a guess; that they do not fit says no more
		// than that the named key is not there.
		return refuse(NoKey, "for kid "+quote(c.header.KeyID)+", and no key without a kid verifies the token")
	}
	return refuse(BadSignature, "under "+quote(c.header.Alg)+" and kid "+quote(c.header.KeyID))
}

func notAllowed(alg string, algs []string) *Error {
	if len(algs) == 0 {
		return refuse(AlgNotAllowed, "no algorithm is allowed, got "+quote(alg))
	}
	return refuse(AlgNotAllowed, "expected "+strings.Join(algs, " or ")+", got "+quote(alg))
}

// decodeSignature decodes into buf, because a signature does not outlive its
// verification.
func decodeSignature(buf *[maxSignature]byte, encoded string) ([]byte, *Error) {
	switch {
	case encoded == "":
		return nil, refuse(BadSignature, "the signature is empty")
	case len(encoded) > (maxSignature*8+5)/6:
		return nil, refuse(BadSignature, "longer than that of any key accepted")
	}
	return decodeSegment(buf[:0], encoded, "signature")
}

// headerCache remembers the choices that led to a verified signature. An issuer
// signs with few different headers, each the same bytes every time, and to
// parse one costs as much as the rest of a verification but the cryptography.
// It belongs to one immutable KeySet, so that a choice never outlives its keys.
type headerCache struct {
	entries atomic.Pointer[[]*choice] // copied on write
}

// Bounds of a headerCache. Only headers that the issuer signed get in, and when
// it is full the rest is parsed every time.
const (
	maxCachedHeaders = 16
	maxCachedHeader  = 1 << 10 // bytes, encoded
)

func (c *headerCache) find(encoded string) *choice {
	entries := c.entries.Load()
	if entries == nil {
		return nil
	}
	for _, e := range *entries {
		if e.encoded == encoded {
			return e
		}
	}
	return nil
}

func (c *headerCache) add(verified *choice) {
	if len(verified.encoded) > maxCachedHeader {
		return
	}
	verified.encoded = strings.Clone(verified.encoded) // do not keep the token alive
	for {
		old := c.entries.Load()
		var entries []*choice
		if old != nil {
			entries = *old
		}
		if len(entries) >= maxCachedHeaders || slices.ContainsFunc(entries, func(e *choice) bool { return e.encoded == verified.encoded }) {
			return
		}
		entries = append(slices.Clip(entries), verified)
		if c.entries.CompareAndSwap(old, &entries) {
			return
		}
	}
}
