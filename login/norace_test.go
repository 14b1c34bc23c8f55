//go:build !race

package login_test

import "testing"

// TestAllocations: the check of a session is on the way of every request.
func TestAllocations(t *testing.T) {
	if n := testing.AllocsPerRun(1000, sessionCheck(t)); n > 4 {
		t.Errorf("Require allocates %v times, at most 4", n)
	}
}
