package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// sample is the state of this process at one time, after the garbage was collected.
type sample struct {
	at         time.Duration // since the beginning
	heap       uint64        // bytes in live objects
	objects    uint64
	goroutines int
	files      int // descriptors; -1 where that is not known
	records    int64
}

func (a *app) sample(begun time.Time) sample {
	// Twice: what the first run finds to be finalized, the second takes.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := sample{at: time.Since(begun), heap: m.HeapAlloc, objects: m.HeapObjects, goroutines: runtime.NumGoroutine(), files: -1}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		s.files = len(open)
	}
	for _, c := range a.store.Stats() {
		s.records += c.Records
	}
	return s
}

// What may grow from the second quarter of a run to the last: the noise of a
// process that does nothing new. A leak of one object a login is far beyond it.
const (
	heapTolerance      = 768 << 10 // bytes
	goroutineTolerance = 12        // connections come and go, two or three for each
	fileTolerance      = 8
)

// grown says what is more in the last quarter than in the second, or "".
func grown(samples []sample) string {
	n := len(samples) / 4
	if n == 0 {
		return "too few samples to tell"
	}
	early, late := samples[n:2*n], samples[len(samples)-n:]
	var out []string
	compare := func(what string, tolerance int64, of func(sample) int64) {
		before, after := median(early, of), median(late, of)
		if after > before+tolerance {
			out = append(out, fmt.Sprintf("%s: %d in the second quarter, %d in the last", what, before, after))
		}
	}
	compare("bytes of live heap", heapTolerance, func(s sample) int64 { return int64(s.heap) })
	compare("goroutines", goroutineTolerance, func(s sample) int64 { return int64(s.goroutines) })
	compare("file descriptors", fileTolerance, func(s sample) int64 { return int64(s.files) })
	return strings.Join(out, "; ")
}

func median(samples []sample, of func(sample) int64) int64 {
	all := make([]int64, len(samples))
	for i, s := range samples {
		all[i] = of(s)
	}
	slices.Sort(all)
	return all[len(all)/2]
}
