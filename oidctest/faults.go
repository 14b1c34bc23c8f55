package oidctest

import (
	"crypto/tls"
	"net/url"
	"slices"
	"sync"
)

// Fault is one rule that the OP can be told to break; see [OP.Break].
type Fault string

// FaultInfo describes a fault.
type FaultInfo struct {
	Fault   Fault
	Group   string   // heading of a menu: "ID Token: claims"
	Title   string   // what the OP does, for a person: "The nonce is another one"
	Section string   // what it breaks: "Core 3.1.3.7 (11)"
	Case    int      // its number in the hostile catalogue (docs/hostile.md); 0 if it has none
	At      Endpoint // where it shows first, in the code flow if it can
	Expect  string   // what a relying party must do

	// Harmless says that the relying party may go on, minding what Expect
	// says: the login succeeds, or does as soon as a passing failure is over.
	Harmless bool

	// ResponseType is a response type with which it shows. Empty means code.
	ResponseType string

	// Flow is the exchange in which it shows, if that is another than a login
	// in the browser, such as "device". Empty means a login, from the
	// identifier to a refresh.
	Flow string

	// Needs says in words what else a login needs for the fault to show.
	// Empty means nothing.
	Needs string
}

// behaviour is a fault and what it does at each step; a nil hook does nothing.
type behaviour struct {
	FaultInfo

	// handshake changes what a new TLS connection is answered with.
	handshake func(*site, *tls.Config) error

	// before runs when a request for At has arrived and before it is handled.
	before func(*exchange)

	// doc edits the JSON document that At answers with.
	doc func(*exchange, map[string]any)

	// answer edits the authorization response.
	answer func(*exchange, *authAnswer)

	// token edits an ID Token or a signed UserInfo response, the latter if At
	// is EndpointUserInfo, before it is signed; sealed the compact form.
	token  func(*exchange, *draft)
	sealed func(*exchange, *draft, string) string

	// response edits a JWT secured authorization response before it is signed,
	// responseSealed its compact form, beside the parameters that carry it.
	response func(*exchange, *draft)

	// introspection edits a signed introspection response before it is signed.
	introspection func(*exchange, *draft)

	// resource edits signed resource metadata before it is signed.
	resource func(*exchange, *draft)

	// document edits what a client's metadata document is fetched as.
	document func(*exchange, *fetched)

	responseSealed func(*exchange, *draft, string) string
	beside         func(*exchange, url.Values)

	// reply edits the response of At as it goes out.
	reply func(*exchange, *reply)
}

// everyFault is behaviours, made once for all OPs: it is read only, and takes more than
// a megabyte for what some faults send.
var everyFault = sync.OnceValue(behaviours)

// behaviours returns every fault, grouped, in the order of a login.
func behaviours() []behaviour {
	return slices.Concat(
		webFingerFaults(), discoveryFaults(), transportFaults(), keyFaults(), registrationFaults(),
		parFaults(),
		authorizationFaults(),
		tokenFaults(), tokenEndpointFaults(), signatureFaults(), headerFaults(), claimFaults(), timeFaults(), hashFaults(),
		userInfoFaults(), refreshFaults(),
		dpopFaults(), mtlsFaults(), introspectionFaults(), statementFaults(),
		deviceFaults(), cibaFaults(), exchangeFaults(), assertionFaults(),
		resourceFaults(), signedResourceFaults(), clientDocumentFaults(),
		jarmFaults(), detailFaults(), detachedFaults(),
	)
}

// Faults returns every fault, grouped, in the order of a login.
func Faults() []FaultInfo {
	all := everyFault()
	infos := make([]FaultInfo, len(all))
	for i, b := range all {
		infos[i] = b.FaultInfo
	}
	return infos
}

// Break switches faults on, beside those that are on. An unknown fault fails
// the test, or does nothing outside one.
func (op *OP) Break(faults ...Fault) {
	if op.tb != nil {
		op.tb.Helper()
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	for _, f := range faults {
		if !slices.ContainsFunc(op.table, func(b behaviour) bool { return b.Fault == f }) {
			if op.tb != nil {
				op.tb.Fatalf("oidctest: no fault is called %q", f)
			}
			continue
		}
		op.broken[f] = true
	}
}

// Mend switches faults off; without an argument all of them.
func (op *OP) Mend(faults ...Fault) {
	op.mu.Lock()
	defer op.mu.Unlock()
	if len(faults) == 0 {
		clear(op.broken)
	}
	for _, f := range faults {
		delete(op.broken, f)
	}
}

// Broken returns the faults that are switched on, in the order of [Faults].
func (op *OP) Broken() []Fault {
	var on []Fault
	for _, b := range op.active() {
		on = append(on, b.Fault)
	}
	return on
}

// active returns the behaviours that are switched on.
func (op *OP) active() []*behaviour {
	op.mu.Lock()
	defer op.mu.Unlock()
	if len(op.broken) == 0 {
		return nil
	}
	var on []*behaviour
	for i := range op.table {
		if op.broken[op.table[i].Fault] {
			on = append(on, &op.table[i])
		}
	}
	return on
}
