package login_test

import (
	"errors"
	"testing"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/rp"
)

// TestExplain: whose fault an error of these packages is. That each Reason has an
// advice is a rule of the house.
func TestExplain(t *testing.T) {
	network := &oidc.TransportError{Step: "refresh", Err: errors.New("reset")}
	for _, c := range []struct {
		err  error
		want oidc.Fault
		temp bool
	}{
		{&rp.Error{Reason: rp.BadConfig}, oidc.FaultCaller, false},
		{&rp.Error{Reason: rp.WrongBrowser}, oidc.FaultVisitor, false},
		{&rp.Error{Reason: rp.GrantEnded}, oidc.FaultRefusal, false},
		{&rp.Error{Reason: rp.StoreUnavailable, Err: errors.New("refused")}, oidc.FaultStore, true},
		{&rp.Error{Reason: rp.RefreshFailed, Err: network}, oidc.FaultNetwork, true}, // the cause is nearer
		{&login.Error{Reason: login.BadConfig}, oidc.FaultCaller, false},
		{&login.Error{Reason: login.CrossSite}, oidc.FaultVisitor, false},
		{&login.Error{Reason: login.Replayed}, oidc.FaultProvider, false},
		{&login.Error{Reason: login.StoreUnavailable, Err: errors.New("refused")}, oidc.FaultStore, true},
		{&login.Error{Reason: login.LoginRefused, Err: &rp.Error{Reason: rp.StoreUnavailable}}, oidc.FaultVisitor, false},
	} {
		f := oidc.Explain(c.err)
		if f.Fault != c.want || f.Temporary != c.temp || f.Advice == "" || f.Reason == "" {
			t.Errorf("%v: %+v", c.err, f)
		}
	}
	if rp.Reason("new").Advice() == "" || login.Reason("new").Advice() == "" {
		t.Error("a reason of tomorrow has no advice")
	}
}
