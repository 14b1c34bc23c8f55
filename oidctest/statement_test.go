package oidctest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
)

// register posts client metadata.
func (r *run) register(body map[string]any) {
	r.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", r.op.URL(EndpointRegistration), bytes.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	r.last, r.json = &recorder{header: http.Header{}, cancel: cancel}, map[string]any{}
	r.op.Handler().ServeHTTP(r.last, req)
	_ = json.Unmarshal(r.last.body.Bytes(), &r.json)
}

// statementSteps is a registration by a statement. Its signature is Ed25519, which
// two runs make alike.
func statementSteps() []step {
	return []step{{EndpointRegistration, func(r *run) {
		statement, err := r.op.Sign("EdDSA", nil, map[string]any{"iss": r.op.Issuer, "redirect_uris": []any{"https://stated.example/callback"}})
		if err != nil {
			r.t.Fatal(err)
		}
		r.register(map[string]any{"software_statement": statement})
	}}}
}

func TestSoftwareStatement(t *testing.T) {
	op := NewWith(t, Config{Issuer: "https://op.test", RequireSoftwareStatement: true})
	r := &run{t: t, op: op}
	statement, err := op.SoftwareStatement(map[string]any{"redirect_uris": []any{"https://stated.example/callback"}, "software_id": "s", "org_id": "x"})
	if err != nil {
		t.Fatal(err)
	}
	r.register(map[string]any{"software_statement": statement, "redirect_uris": []any{"https://other.example/callback"}, "client_name": "kept"})
	uris, _ := r.json["redirect_uris"].([]any)
	if r.last.status != 201 || len(uris) != 1 || uris[0] != "https://stated.example/callback" || r.str("software_statement") != statement || r.str("client_name") != "kept" {
		t.Errorf("status %d, %v", r.last.status, r.json)
	}
	foreign, err := op.Sign("ES256", nil, map[string]any{"iss": "https://somebody.example"})
	if err != nil {
		t.Fatal(err)
	}
	for want, body := range map[string]map[string]any{
		"unapproved_software_statement": {"software_statement": foreign},
		"invalid_software_statement":    {"software_statement": statement[:len(statement)-6] + "AAAAAA"},
	} {
		if r.register(body); r.last.status != 400 || r.str("error") != want {
			t.Errorf("status %d, %v, want %s", r.last.status, r.json, want)
		}
	}
	if r.register(map[string]any{"redirect_uris": []any{"https://x.example/"}}); r.str("error") != "unapproved_software_statement" {
		t.Errorf("without one: %v", r.json)
	}
}
