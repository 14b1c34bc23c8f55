package login

import (
	"fmt"
	"testing"
	"time"
)

// TestCacheForgetsWhatEnded: sessions that nobody asks for any more do not stay
// until others push them out.
func TestCacheForgetsWhatEnded(t *testing.T) {
	c := &cache{max: maxCached}
	now := time.Now()
	held := func() (n int) {
		for i := range c.shards {
			n += len(c.shards[i].entries)
		}
		return n
	}
	for i := range 20_000 {
		now = now.Add(time.Second)
		c.put(fmt.Sprintf("session-%d", i), cached{ends: now.Add(time.Minute)}, now)
	}
	// Sixty are alive; a shard is looked through when it has minSweep.
	if n := held(); n > 60+2*minSweep*cacheShards {
		t.Errorf("%d sessions are held, 60 are alive", n)
	}
	if _, ok := c.get("session-19999"); !ok {
		t.Error("one that is alive was forgotten")
	}
	c = &cache{max: maxCached}
	for i := range 200_000 {
		c.put(fmt.Sprintf("session-%d", i), cached{ends: now.Add(time.Hour)}, now)
	}
	if n := held(); n > maxCached*cacheShards {
		t.Errorf("%d sessions are held, the bound is %d", n, maxCached*cacheShards)
	}
}
