package tty

import (
	"fmt"
	"time"
)

// When writes a time as a person reads it: the instant in UTC, and how far it
// is from now. The zero time is "".
func When(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + Distance(t, now) + ")"
}

// Distance writes how far t is from now: "in 5 min", "3 days ago", "now".
func Distance(t, now time.Time) string {
	d := t.Sub(now)
	switch {
	case d >= time.Second:
		return "in " + Span(d)
	case d <= -time.Second:
		return Span(-d) + " ago"
	}
	return "now"
}

// Span writes a positive duration, rounded, in its largest unit that leaves a
// number of at least two, or else in seconds.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{365 * day, "years"}, {day, "days"}, {time.Hour, "h"}, {time.Minute, "min"}} {
		if d >= 2*u.unit {
			return fmt.Sprintf("%d %s", (d+u.unit/2)/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
