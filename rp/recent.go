package rp

import "sync"

// recent remembers grants that were opened, so that the next request of the same
// user opens nothing. What it has is used only if the store says, by the revision,
// that it is still what is there.
type recent struct {
	max int

	mu   sync.Mutex // guards held
	held map[string]*held
}

func (c *recent) get(place string) *held {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[place]
}

// put makes room by forgetting any other: to know which was used last would cost
// more than to open one again.
func (c *recent) put(place string, h *held) {
	if c.max <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = make(map[string]*held)
	}
	if _, ok := c.held[place]; !ok && len(c.held) >= c.max {
		for other := range c.held {
			delete(c.held, other)
			break
		}
	}
	c.held[place] = h
}

func (c *recent) drop(place string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, place)
}
