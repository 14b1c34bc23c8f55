package conformance_test

// later are values of parameters that the client cannot do yet.
func later(v variant) bool {
	return v["authorization_request_type"] == "rar"
}

// unwritten are the families of which not every module has a test yet.
var unwritten = map[string]bool{}
