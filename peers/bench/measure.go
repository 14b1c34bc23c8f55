package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"syscall"
	"time"
)

// contender does one unit of work, as often as it is asked to, from any number
// of goroutines.
type contender struct {
	name string
	op   func() error
}

// figures are what one turn, or the median of all turns, cost per unit of work.
type figures struct {
	wall   float64 // nanoseconds
	cpu    float64 // nanoseconds of processor time of this process
	allocs float64
	// wallRatio and cpuRatio are to the floor, the first contender, turn by turn.
	wallRatio, cpuRatio float64
}

// plan says how to measure one row.
type plan struct {
	procs   int           // GOMAXPROCS
	workers int           // units of work at once
	rounds  int           // turns for each contender
	turn    time.Duration // length of one, about
}

// measure runs the contenders in turns and returns the medians, in their order.
func (p plan) measure(cs []contender) ([]figures, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(p.procs))
	units := make([]int, len(cs))
	for i, c := range cs {
		n, err := p.calibrate(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		units[i] = n
	}
	turns := make([][]figures, len(cs))
	for range p.rounds {
		for i, c := range cs {
			f, err := p.once(c, units[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			turns[i] = append(turns[i], f)
		}
		floor := turns[0][len(turns[0])-1]
		for i := range cs {
			last := &turns[i][len(turns[i])-1]
			last.cpuRatio, last.wallRatio = last.cpu/floor.cpu, last.wall/floor.wall
		}
	}
	out := make([]figures, len(cs))
	for i, t := range turns {
		out[i] = figures{
			wall:      median(t, func(f figures) float64 { return f.wall }),
			cpu:       median(t, func(f figures) float64 { return f.cpu }),
			allocs:    median(t, func(f figures) float64 { return f.allocs }),
			wallRatio: median(t, func(f figures) float64 { return f.wallRatio }),
			cpuRatio:  median(t, func(f figures) float64 { return f.cpuRatio }),
		}
	}
	return out, nil
}

// calibrate warms a contender up and returns how many units make a turn.
func (p plan) calibrate(c contender) (int, error) {
	n := p.workers
	for {
		f, err := p.once(c, n)
		if err != nil {
			return 0, err
		}
		if took := time.Duration(f.wall * float64(n)); took >= p.turn/4 || n >= 1<<20 {
			n = int(float64(n) * float64(p.turn) / float64(max(took, 1)))
			return max(n, p.workers), nil
		}
		n *= 4
	}
}

// once does n units. Garbage of the one before is collected first, so that
// nobody pays for another's.
func (p plan) once(c contender, n int) (figures, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := processorTime(), time.Now()
	var err error
	// In a profile each is found by its name: go tool pprof -tagfocus rely.
	pprof.Do(background, pprof.Labels("contender", c.name), func(context.Context) { err = p.spread(c, n) })
	wall, used := time.Since(start), processorTime()-cpu
	runtime.ReadMemStats(&after)
	units := float64(n)
	return figures{
		wall:   float64(wall) / units,
		cpu:    float64(used) / units,
		allocs: float64(after.Mallocs-before.Mallocs) / units,
	}, err
}

func (p plan) spread(c contender, n int) error {
	if p.workers == 1 {
		for range n {
			if err := c.op(); err != nil {
				return err
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	errs := make([]error, p.workers)
	for w := range p.workers {
		share := n / p.workers
		if w < n%p.workers {
			share++
		}
		wg.Go(func() {
			for range share {
				if errs[w] = c.op(); errs[w] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// processorTime is what this process has used so far, in all its threads.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // every ratio shows it
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(t []figures, of func(figures) float64) float64 {
	v := make([]float64, len(t))
	for i, f := range t {
		v[i] = of(f)
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
