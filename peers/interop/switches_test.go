package interop_test

import (
	"errors"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/peers/interop"
)

// TestSwitches leaves out each switch that an OP is said to need, and sees what
// the switch is for.
func TestSwitches(t *testing.T) {
	without := map[interop.Switch]func(t *testing.T, r rp){
		interop.EncodedIssuer: func(t *testing.T, r rp) {
			c := r.known(t, r.provider(t), "rely-client_secret_basic")
			_, err := login{responseType: "code", mode: oidc.ModeFormPost}.run(t, r.o, c)
			wantReason(t, err, oidc.BadResponseIssuer)
		},
		interop.RawCredentials: func(t *testing.T, r rp) {
			c := r.known(t, r.provider(t), "rely-special")
			_, err := login{responseType: "code"}.run(t, r.o, c)
			wantHint(t, err, r.off)
		},
		interop.EndpointAudience: func(t *testing.T, r rp) {
			c := r.known(t, r.provider(t), "rely-client_secret_jwt")
			_, err := login{responseType: "code"}.run(t, r.o, c)
			wantHint(t, err, r.off)
		},
		interop.NamedMode: func(t *testing.T, r rp) {
			c := r.known(t, r.provider(t), "rely-client_secret_basic")
			_, err := login{responseType: "code id_token"}.run(t, r.o, c)
			wantReason(t, err, oidc.WrongResponseMode)
		},
		interop.NamedMethod: func(t *testing.T, r rp) {
			p := r.provider(t)
			if got := r.register(t, p, "code", r.metadata(t, "code")); got.Secret != "" {
				t.Error("the client has a secret all the same")
			}
		},
		interop.SingleWords: func(t *testing.T, r rp) {
			_, err := r.provider(t).Register(t.Context(), r.metadata(t, "code id_token"), "")
			wantOPError(t, err)
		},
		interop.NamedModes: func(t *testing.T, r rp) {
			c := r.known(t, r.provider(t), "rely-client_secret_basic")
			_, err := c.Begin(t.Context(), oidc.AuthParams{ResponseType: "code", ResponseMode: oidc.ModeFormPost})
			if _, ok := errors.AsType[*oidc.UnsupportedError](err); !ok {
				t.Errorf("Begin: %v, want an *UnsupportedError", err)
			}
		},
	}
	each(t, every, func(t *testing.T, o *interop.OP) {
		for _, odd := range o.Peer.Oddities {
			if odd.Switch == "" {
				continue
			}
			t.Run(string(odd.Switch), func(t *testing.T) {
				test, ok := without[odd.Switch]
				if !ok {
					t.Fatalf("nothing here shows that %s is needed", odd.Switch)
				}
				test(t, rp{o: o, off: odd.Switch})
			})
		}
	})
}

func wantReason(t *testing.T, err error, want oidc.Reason) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// wantHint wants the error to say what to try.
func wantHint(t *testing.T, err error, s interop.Switch) {
	t.Helper()
	if refused, ok := errors.AsType[*oidc.OPError](err); !ok || !strings.Contains(refused.Hint, string(s)) {
		t.Errorf("got %v, want an *OPError that names %s", err, s)
	}
}

func wantOPError(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*oidc.OPError](err); !ok {
		t.Errorf("got %v, want an *OPError", err)
	}
}

// TestDefaultMode leaves the response mode to the OP.
func TestDefaultMode(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		c := r.known(t, r.provider(t), "rely-client_secret_basic")
		for _, responseType := range o.Peer.Has.ResponseTypes {
			t.Run(subtest(responseType), func(t *testing.T) {
				_, err := login{responseType: responseType}.run(t, o, c)
				if hybrid := strings.HasPrefix(responseType, "code "); hybrid && r.on(interop.NamedMode) {
					wantReason(t, err, oidc.WrongResponseMode)
				} else if err != nil {
					t.Errorf("Finish: %v", err)
				}
			})
		}
	})
}
