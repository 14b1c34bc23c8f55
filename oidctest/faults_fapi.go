package oidctest

// Faults of an ID Token that is the detached signature of its response; see
// Config.StateHash.
const (
	// SHashWrong: the s_hash is another state's (FAPI 1.0 Part 2 5.2.3.1 (4)). Refuse the
	// response; make no token request.
	SHashWrong Fault = "s_hash_wrong"
	// SHashNumber: the s_hash is a number (FAPI 1.0 Part 2 5.2.3.1 (4)). Refuse the response;
	// make no token request.
	SHashNumber Fault = "s_hash_number"
	// SHashMissing: there is no s_hash (FAPI 1.0 Part 2 5.2.3.1 (4)). Refuse the response under
	// FAPI 1.0, where it is required; make no token request.
	SHashMissing Fault = "s_hash_missing"
)

// detachedFaults are what can be wrong with the hash of the state.
func detachedFaults() []behaviour {
	const section, before = "FAPI 1.0 Part 2 5.2.3.1 (4)", "Refuse the response; make no token request."
	return group("Detached signature", EndpointAuthorization, []behaviour{
		{FaultInfo: FaultInfo{Fault: SHashWrong, Title: "The s_hash is another state's", Section: section, Expect: before, Flow: "detached", ResponseType: "code id_token"},
			token: frontHash("another-state")},
		{FaultInfo: FaultInfo{Fault: SHashNumber, Title: "The s_hash is a number", Section: section, Expect: before, Flow: "detached", ResponseType: "code id_token"},
			token: func(_ *exchange, d *draft) {
				if d.front {
					d.claims["s_hash"] = 7
				}
			}},
		{FaultInfo: FaultInfo{Fault: SHashMissing, Title: "There is no s_hash", Section: section, Expect: "Refuse the response under FAPI 1.0, where it is required; make no token request.", Flow: "detached", ResponseType: "code id_token"},
			token: func(_ *exchange, d *draft) {
				if d.front {
					delete(d.claims, "s_hash")
				}
			}},
	})
}

// frontHash puts the hash of another state into an ID Token of the authorization
// endpoint.
func frontHash(state string) func(*exchange, *draft) {
	return func(_ *exchange, d *draft) {
		if d.front {
			d.claims["s_hash"] = leftHash(d.alg, state)
		}
	}
}
