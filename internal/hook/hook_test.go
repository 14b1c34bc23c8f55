package hook

import (
	"strings"
	"testing"
)

func TestCaught(t *testing.T) {
	ran := false
	if got := Caught(func() { ran = true }); got != "" || !ran {
		t.Errorf("ran: %v, caught %q", ran, got)
	}
	Rethrow("")
	panicked := Caught(func() { panic("a fault of the application") })
	if !strings.HasPrefix(panicked, "a fault of the application\n") || !strings.Contains(panicked, "TestCaught") {
		t.Errorf("caught %q", panicked)
	}
	defer func() {
		if v, _ := recover().(string); !strings.HasPrefix(v, "rely: in a hook of the application: a fault") {
			t.Errorf("recovered %q", v)
		}
	}()
	Rethrow(panicked)
	t.Error("went on")
}
