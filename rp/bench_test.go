package rp_test

import (
	"testing"

	"rely.example/oidc"
	"rely.example/rp"
)

// bare is a process on the store itself, by the system's clock.
func (r *rig) bare() *rp.RP {
	return r.newRP(func(c *rp.Config) { c.Store, c.Now = r.mem, nil })
}

// BenchmarkTokensHeld is the warm path of a program that holds the Grant.
func BenchmarkTokensHeld(b *testing.B) {
	r := setup(b)
	g, err := r.bare().Grant(b.Context(), r.mustLogin().State())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Tokens(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTokensByState finds the grant anew each time.
func BenchmarkTokensByState(b *testing.B) {
	r := setup(b)
	state, p := r.mustLogin().State(), r.bare()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Tokens(b.Context(), state); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGrant tells who is logged in: what a middleware asks at each request.
func BenchmarkGrant(b *testing.B) {
	r := setup(b)
	state, p := r.mustLogin().State(), r.bare()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Grant(b.Context(), state); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGrantOpened is the same where the grant was not seen before.
func BenchmarkGrantOpened(b *testing.B) {
	r := setup(b)
	state := r.mustLogin().State()
	p := r.newRP(func(c *rp.Config) { c.Store, c.Now, c.Remember = r.mem, nil, -1 })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Grant(b.Context(), state); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	r := setup(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.rp.Start(b.Context(), r.op.Issuer, oidc.AuthParams{}); err != nil {
			b.Fatal(err)
		}
	}
}
