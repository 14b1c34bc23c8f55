package memstore

import (
	"container/heap"
	"slices"
	"strings"
)

// list is the records of one class in one shard, longest unwritten first.
type list struct{ first, last *record }

// class returns the number of a class, which it gets when it is first seen.
func (s *Store) class(name string) int {
	if name == "" {
		return 0
	}
	if i, ok := s.findClass(name); ok {
		return i
	}
	s.classMu.Lock()
	defer s.classMu.Unlock()
	if i, ok := s.findClass(name); ok {
		return i
	}
	i := int(s.grown.Load()) + 1
	if i == maxClasses {
		return 0
	}
	s.classes[i].name = strings.Clone(name)
	s.grown.Store(int32(i)) // after the name: who sees the one sees the other
	return i
}

func (s *Store) findClass(name string) (int, bool) {
	for i := 1; i <= int(s.grown.Load()); i++ {
		if s.classes[i].name == name {
			return i, true
		}
	}
	return 0, false
}

// count adds a record to its class (sign 1), or takes it out (sign -1).
func (s *Store) count(rec *record, sign int64) {
	n := overhead + len(rec.key) + len(rec.value)
	for _, b := range rec.bearing {
		n += tagOverhead + len(b.of.tag)
	}
	s.classes[rec.class].records.Add(sign)
	s.classes[rec.class].bytes.Add(sign * int64(n))
}

// enlist makes rec the last to be evicted. The shard n is locked.
func (s *Store) enlist(n int, rec *record) {
	l := &s.shards[n].lists[rec.class]
	rec.prev, rec.next = l.last, nil
	if l.last != nil {
		l.last.next = rec
	} else {
		l.first = rec
		s.classes[rec.class].oldest[n].Store(rec.rev)
	}
	l.last = rec
}

// unlist takes rec out of its list. The shard n is locked.
func (s *Store) unlist(n int, rec *record) {
	l := &s.shards[n].lists[rec.class]
	if rec.next != nil {
		rec.next.prev = rec.prev
	} else {
		l.last = rec.prev
	}
	if rec.prev != nil {
		rec.prev.next = rec.next
		return
	}
	l.first = rec.next
	oldest := uint64(0)
	if l.first != nil {
		oldest = l.first.rev
	}
	s.classes[rec.class].oldest[n].Store(oldest)
}

// remove forgets a record. The shard n is locked.
func (s *Store) remove(n int, rec *record) {
	sh := &s.shards[n]
	s.count(rec, -1)
	s.unlist(n, rec)
	heap.Remove(&sh.expiry, rec.heap)
	delete(sh.recs, rec.key)
	s.setTags(rec, nil)
}

// sweep forgets a few records that have expired. The shard n is locked.
func (s *Store) sweep(n int, now int64) {
	sh := &s.shards[n]
	for range sweepPerCall {
		if len(sh.expiry) == 0 || sh.expiry[0].expires > now {
			return
		}
		rec := sh.expiry[0]
		s.remove(n, rec)
		s.classes[rec.class].expired.Add(1)
	}
}

// makeRoom evicts from a class, longest unwritten first, until it is within its
// limits. No shard is locked. Writers at the same moment may each be one record
// beyond the limit until they come here.
func (s *Store) makeRoom(c int) {
	cl := &s.classes[c]
	for cl.records.Load() > s.maxRecords() || cl.bytes.Load() > s.maxBytes() {
		victim, oldest := -1, uint64(0)
		for n := range cl.oldest {
			if rev := cl.oldest[n].Load(); rev != 0 && (victim < 0 || rev < oldest) {
				victim, oldest = n, rev
			}
		}
		if victim < 0 {
			return
		}
		sh := &s.shards[victim]
		sh.mu.Lock()
		// Others may have made room, or written to this record, meanwhile.
		if rec := sh.lists[c].first; rec != nil && rec.rev == oldest && (cl.records.Load() > s.maxRecords() || cl.bytes.Load() > s.maxBytes()) {
			expired := rec.expires <= s.now()
			s.remove(victim, rec)
			if expired {
				cl.expired.Add(1)
			} else {
				cl.evicted.Add(1)
			}
		}
		sh.mu.Unlock()
	}
}

// setTags makes rec a bearer of tags and of none else. Its shard is locked. Tags
// that stay are left alone, and new ones come before old ones go, so that Tagged
// misses no record which is being replaced.
func (s *Store) setTags(rec *record, tags []string) {
	old := rec.bearing
	if len(old) == 0 && len(tags) == 0 {
		return
	}
	rec.bearing = make([]*bearing, 0, len(tags))
	for _, tag := range tags {
		if i := slices.IndexFunc(old, func(b *bearing) bool { return b.of.tag == tag }); i >= 0 {
			rec.bearing = append(rec.bearing, old[i])
		} else {
			rec.bearing = append(rec.bearing, s.bear(rec, tag))
		}
	}
	for _, b := range old {
		if !slices.Contains(rec.bearing, b) {
			s.unbear(b)
		}
	}
}

// bear enters rec among the bearers of a tag.
func (s *Store) bear(rec *record, tag string) *bearing {
	x := &s.indexes[s.hash(tag)]
	x.mu.Lock()
	defer x.mu.Unlock()
	of := x.tags[tag]
	if of == nil {
		of = &bearers{tag: strings.Clone(tag)}
		if x.tags == nil {
			x.tags = make(map[string]*bearers)
		}
		x.tags[of.tag] = of
	}
	b := &bearing{of: of, rec: rec, pos: len(of.all)}
	of.all = append(of.all, b)
	return b
}

// unbear takes a record out of the bearers of a tag.
func (s *Store) unbear(b *bearing) {
	x := &s.indexes[s.hash(b.of.tag)]
	x.mu.Lock()
	defer x.mu.Unlock()
	of := b.of
	last := len(of.all) - 1
	of.all[b.pos] = of.all[last]
	of.all[b.pos].pos = b.pos
	of.all[last] = nil
	of.all = of.all[:last]
	if last == 0 {
		delete(x.tags, of.tag)
	}
}

// expiryHeap is a heap of records by the time they expire.
type expiryHeap []*record

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires < h[j].expires }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heap, h[j].heap = i, j
}

// Push implements heap.Interface.
func (h *expiryHeap) Push(x any) {
	rec := x.(*record)
	rec.heap = len(*h)
	*h = append(*h, rec)
}

// Pop implements heap.Interface.
func (h *expiryHeap) Pop() any {
	old := *h
	n := len(old) - 1
	rec := old[n]
	old[n] = nil
	*h = old[:n]
	return rec
}
