package oidc

import (
	"crypto/sha256"
	"sync"
	"time"
)

// RememberedFor is how long a validated access token is taken for valid without
// its signature being verified again: for so long at most a key lives that the OP
// has withdrawn.
const RememberedFor = time.Minute

// tokenCache keeps validated access tokens by their hash. It has two halves; when
// the young one is full it becomes the old one, whose tokens are forgotten unless
// they were used meanwhile. So it is bounded without an order to be kept.
type tokenCache struct {
	half int

	mu         sync.RWMutex // guards young and old
	young, old map[[sha256.Size]byte]keptToken
}

type keptToken struct {
	token *AccessToken
	since time.Time // when it was verified
}

func newTokenCache(size int) *tokenCache {
	return &tokenCache{half: max(size/2, 1), young: make(map[[sha256.Size]byte]keptToken)}
}

// find returns a token that was verified not long ago, or nil.
func (c *tokenCache) find(raw string, now time.Time) *AccessToken {
	key := sha256.Sum256([]byte(raw))
	c.mu.RLock()
	k, there := c.young[key]
	aged := false
	if !there {
		k, there = c.old[key]
		aged = there
	}
	c.mu.RUnlock()
	if !there {
		return nil
	}
	// A clock that went back ends it too.
	if age := now.Sub(k.since); age < 0 || age >= RememberedFor {
		return nil
	}
	if aged {
		c.put(key, k)
	}
	return k.token
}

func (c *tokenCache) add(raw string, t *AccessToken, now time.Time) {
	c.put(sha256.Sum256([]byte(raw)), keptToken{t, now})
}

func (c *tokenCache) put(key [sha256.Size]byte, k keptToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[[sha256.Size]byte]keptToken, c.half)
	}
	c.young[key] = k
}

func (c *tokenCache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.young) + len(c.old)
}
