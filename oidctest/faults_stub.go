package oidctest

func webFingerFaults() []behaviour     { return nil }
func discoveryFaults() []behaviour     { return nil }
func transportFaults() []behaviour     { return nil }
func keyFaults() []behaviour           { return nil }
func registrationFaults() []behaviour  { return nil }
func authorizationFaults() []behaviour { return nil }
func tokenFaults() []behaviour         { return nil }
func tokenEndpointFaults() []behaviour { return nil }
func signatureFaults() []behaviour     { return nil }
func headerFaults() []behaviour        { return nil }
func claimFaults() []behaviour         { return nil }
func timeFaults() []behaviour          { return nil }
func hashFaults() []behaviour          { return nil }
func userInfoFaults() []behaviour      { return nil }
func refreshFaults() []behaviour       { return nil }
