package oidc

import (
	"errors"
	"testing"
	"time"
)

// TestTimesOfOptions: what zero and a negative value mean.
func TestTimesOfOptions(t *testing.T) {
	for skew, want := range map[time.Duration]time.Duration{0: DefaultClockSkew, -1: 0, 1: 1, time.Hour: time.Hour} {
		e, err := newEnv(&Options{ClockSkew: skew})
		if err != nil || e.skew != want {
			t.Errorf("ClockSkew %v: got %v, %v; want %v", skew, e, err, want)
		}
	}
	for timeout, want := range map[time.Duration]time.Duration{0: DefaultTimeout, -1: DefaultTimeout, 1: 1, time.Hour: time.Hour} {
		e, err := newEnv(&Options{Timeout: timeout})
		if err != nil || e.config.Timeout != want {
			t.Errorf("Timeout %v: got %v; want %v", timeout, err, want)
		}
	}
	if e, err := newEnv(nil); err != nil || e.skew != DefaultClockSkew || e.config.Timeout != DefaultTimeout || e.now == nil {
		t.Errorf("without Options: %v", err)
	}
}

// TestFetchFailedByItself: an error of no known kind is told as one of the network,
// with its cause.
func TestFetchFailedByItself(t *testing.T) {
	cause := errors.New("of no known kind")
	err := fetchFailed(StepToken, cause)
	if te, ok := errors.AsType[*TransportError](err); !ok || te.Step != StepToken || !errors.Is(err, cause) || !errors.Is(err, Unreachable) {
		t.Errorf("got %v", err)
	}
}
