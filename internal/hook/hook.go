// Package hook runs what an application gave us, in goroutines of ours. What it does
// wrong there is for those who wait for it, whose server knows what to do about a
// panic, and not the end of the program.
package hook

import (
	"fmt"
	"runtime/debug"
)

// Caught runs f, and returns what it panicked with, and the stack; "" if it did not.
func Caught(f func()) (panicked string) {
	defer func() {
		if v := recover(); v != nil {
			panicked = fmt.Sprintf("%v\n\n%s", v, debug.Stack())
		}
	}()
	f()
	return ""
}

// Rethrow panics with what Caught has caught, if anything.
func Rethrow(panicked string) {
	if panicked != "" {
		panic("rely: in a hook of the application: " + panicked)
	}
}
