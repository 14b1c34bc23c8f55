package oidc

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestMetadataIsCloned: whoever gave metadata, or was given it, changes nothing of a
// Provider's.
func TestMetadataIsCloned(t *testing.T) {
	md := ProviderMetadata{JWKS: json.RawMessage(`{}`), Raw: json.RawMessage(`{}`), MTLSEndpointAliases: map[string]string{"token_endpoint": "x"}}
	v := reflect.ValueOf(&md).Elem()
	lists := 0
	for i := range v.NumField() {
		if list, ok := v.Field(i).Addr().Interface().(*[]string); ok {
			*list = []string{"x"}
			lists++
		}
	}
	own := md.clone()
	if !reflect.DeepEqual(own, md) {
		t.Error("the clone is another")
	}
	for i := range v.NumField() {
		if list, ok := v.Field(i).Addr().Interface().(*[]string); ok {
			(*list)[0] = "changed"
		}
	}
	md.JWKS[0], md.Raw[0] = 'x', 'x'
	md.MTLSEndpointAliases["token_endpoint"] = "changed"
	c := reflect.ValueOf(own)
	for i := range c.NumField() {
		if list, ok := c.Field(i).Interface().([]string); ok && list[0] != "x" {
			t.Errorf("%s is shared", c.Type().Field(i).Name)
		}
	}
	if lists == 0 || own.JWKS[0] != '{' || own.Raw[0] != '{' || own.MTLSEndpointAliases["token_endpoint"] != "x" {
		t.Errorf("JWKS %s, Raw %s or aliases %v are shared", own.JWKS, own.Raw, own.MTLSEndpointAliases)
	}
	if none := (ProviderMetadata{}).clone(); none.MTLSEndpointAliases != nil {
		t.Error("aliases out of nowhere")
	}
}

func TestSameOrigin(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://op.example/a", "https://op.example/b?c#d", true},
		{"https://op.example/", "https://OP.example:443/", true},
		{"http://op.example:80/", "http://op.example/", true},
		{"https://op.example:80/", "https://op.example/", false},
		{"http://op.example:443/", "http://op.example/", false},
		{"https://op.example:444/", "https://op.example/", false},
		{"https://op.example/", "http://op.example/", false},
		{"https://op.example/", "https://other.example/", false},
		{"https://op.example/", "https://op.example.other.example/", false},
		{"https://op.example/", "https://op.example/%zz", false},
		{"https://op.example/%zz", "https://op.example/", false},
		{"%zz", "%zz", false},
	} {
		if got := sameOrigin(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}
