package conformance_test

// later are values of parameters that the client cannot do yet.
func later(v variant) bool {
	switch {
	case v["request_type"] == "request_object", v["request_type"] == "request_uri":
		return true
	case v["fapi_auth_request_method"] == "by_value", v["fapi_request_method"] == "signed_non_repudiation",
		v["authorization_request_type"] == "rar":
		return true
	}
	return false
}

// unwritten are the families of which not every module has a test yet.
var unwritten = map[string]bool{"OpenID Connect": true, "FAPI 1.0 Advanced": true, "FAPI 2.0": true}
