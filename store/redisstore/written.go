package redisstore

import (
	"sync"
	"time"
)

const (
	// writtenFor is for how long a write is remembered. What was cached before it
	// is cached for MaxLag at most; twice that leaves room for an answer that was
	// under way.
	writtenFor = 2 * MaxLag

	// maxWritten bounds what is remembered. Beyond it nothing that is cached is
	// believed until what was forgotten no longer matters.
	maxWritten = 1 << 17
)

// written remembers which keys this Store wrote, so that its own Loads see its
// own writes before the server has told the cache of them: what is cached under
// such a key is believed only if it has the Rev that was written last. Its zero
// value is ready to use.
type written struct {
	mu     sync.RWMutex // guards the fields below
	keys   map[string]*write
	queue  []ended   // in the order in which they are to be forgotten
	nobody time.Time // until then no cached record is believed
	now    func() time.Time
}

// write is the last write of a key.
type write struct {
	rev      uint64 // 0: nothing that is cached can be right
	inFlight int
	overlap  bool // several were in flight, and nobody knows which was last
	ends     time.Time
}

type ended struct {
	key string
	at  time.Time
}

// begin notes that a write of key is about to be sent. The function that it
// returns is called once it was answered: with the Rev that was written, or with
// 0 if the key was removed or nobody knows.
func (w *written) begin(key string) (done func(rev uint64)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys == nil {
		w.keys = make(map[string]*write)
	}
	e := w.keys[key]
	if e == nil {
		e = new(write)
		w.keys[key] = e
	}
	e.inFlight++
	e.overlap = e.overlap || e.inFlight > 1
	e.rev = 0
	return func(rev uint64) { w.end(key, e, rev) }
}

func (w *written) end(key string, e *write, rev uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.time()
	e.inFlight--
	if e.inFlight == 0 {
		if !e.overlap {
			e.rev = rev
		}
		e.overlap = false
	}
	e.ends = now.Add(writtenFor)
	w.queue = append(w.queue, ended{key, e.ends})
	for len(w.queue) > 0 && (!w.queue[0].at.After(now) || len(w.queue) > maxWritten) {
		first := w.queue[0]
		w.queue = w.queue[1:]
		old := w.keys[first.key]
		if old == nil || old.inFlight > 0 || old.ends.After(first.at) {
			continue // it was written again, and stands in the queue again
		}
		if first.at.After(now) {
			w.nobody = now.Add(writtenFor)
		}
		delete(w.keys, first.key)
	}
}

// last reports whether what is cached under key is to be believed only if it has
// a certain Rev, and which; 0 is the Rev of none.
func (w *written) last(key string) (rev uint64, own bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if e := w.keys[key]; e != nil {
		return e.rev, true
	}
	if !w.nobody.IsZero() && w.nobody.After(w.time()) {
		return 0, true
	}
	return 0, false
}

func (w *written) time() time.Time {
	if w.now != nil {
		return w.now()
	}
	return time.Now()
}
