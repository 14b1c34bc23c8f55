package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// measureKeys counts how often an OP is asked for its keys where it should not be.
func measureKeys(s settings) ([]section, error) {
	const forged, atOnce = 1000, 100
	sec := section{
		title: "Requests for keys",
		intro: fmt.Sprintf("How often the OP's key set is fetched: for %d tokens whose kid nobody knows, sent to a warm client; and for %d verifications "+
			"at once by a cold one, the set taking 50 ms.", forged, atOnce),
		header: []string{"", "fetches for forged tokens", "fetches by a cold client"},
	}
	m, err := newMaterial("RS256", smallClaims)
	if err != nil {
		return nil, err
	}
	for _, v := range verifiers {
		switch v.name {
		case "rely", "go-oidc", "cap", "zitadel":
		default:
			continue // they are given keys and fetch none
		}
		if s.who != "" && v.name != s.who {
			continue
		}
		fresh := func(delay time.Duration) (verifier, *memoryOP, error) {
			op := &memoryOP{jwks: m.jwks, alg: m.alg, delay: delay}
			verify, err := v.make(m, op)
			return verify, op, err
		}
		flood, err := forgedKids(m, forged, fresh)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		stampede, err := coldStampede(m, atOnce, fresh)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		sec.rows = append(sec.rows, []string{v.name, fmt.Sprint(flood), fmt.Sprint(stampede)})
	}
	return []section{sec}, nil
}

type maker func(delay time.Duration) (verifier, *memoryOP, error)

// forgedKids returns how many fetches n tokens with random kids cause.
func forgedKids(m *material, n int, fresh maker) (int64, error) {
	verify, op, err := fresh(0)
	if err != nil {
		return 0, err
	}
	if err := verify(background, m.token); err != nil {
		return 0, err
	}
	before := op.fetches.Load()
	parts := strings.Split(m.token, ".")
	for range n {
		header, err := json.Marshal(map[string]string{"alg": m.alg, "typ": "JWT", "kid": rand.Text()})
		if err != nil {
			return 0, err
		}
		parts[0] = base64.RawURLEncoding.EncodeToString(header)
		if verify(background, strings.Join(parts, ".")) == nil {
			return 0, fmt.Errorf("a forged token was accepted")
		}
	}
	return op.fetches.Load() - before, nil
}

// coldStampede returns how many fetches n verifications at once cause.
func coldStampede(m *material, n int, fresh maker) (int64, error) {
	verify, op, err := fresh(50 * time.Millisecond)
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for range n {
		wg.Go(func() {
			if err := verify(background, m.token); err != nil {
				failed.Store(&err)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return op.fetches.Load(), nil
}
