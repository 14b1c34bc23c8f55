package strictjson

import (
	"encoding/json"
	"testing"
)

// claims is an ID Token payload of the usual size.
var claims = []byte(`{"iss":"https://op.example.com/tenant/1","sub":"248289761001","aud":["client-1234567890"],` +
	`"azp":"client-1234567890","exp":1893456000,"iat":1893452400,"auth_time":1893452300,"nonce":"n-0S6_WzA2Mj0123456789abcdef",` +
	`"at_hash":"77QmUPtjPfzWtF2AnpK9RQ","c_hash":"LDktKdoQak3Pk0cnXxCltA","sid":"08a5019c-17e1-4977-8f42-65a12843ea02",` +
	`"acr":"urn:mace:incommon:iap:silver","amr":["pwd","otp"],"name":"Jane Doe","email":"jane.doe@example.com","email_verified":true}`)

type idToken struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Party    string          `json:"azp"`
	Expires  *Seconds        `json:"exp"`
	Issued   *Seconds        `json:"iat"`
	AuthTime *Seconds        `json:"auth_time"`
	Nonce    string          `json:"nonce"`
	AtHash   string          `json:"at_hash"`
	CHash    string          `json:"c_hash"`
	Session  string          `json:"sid"`
	ACR      string          `json:"acr"`
	AMR      []string        `json:"amr"`
}

func BenchmarkUnmarshal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var v idToken
		if err := Unmarshal(claims, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkObject(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Object(claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValid(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := Valid(claims); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingJSON is what the standard library needs for the same text,
// none of whose rules are ours.
func BenchmarkEncodingJSON(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var v idToken
		if err := json.Unmarshal(claims, &v); err != nil {
			b.Fatal(err)
		}
	}
}
