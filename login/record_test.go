package login

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// TestClaimsAreKeptOnce: what is left out of a record comes back as it was, and
// what only looks alike is not left out.
func TestClaimsAreKeptOnce(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_000).UTC()
	session := func() *sessionData {
		return &sessionData{Issuer: "https://op.example", ClientID: "app", Subject: `al"ice`, SessionID: "sid-1", ACR: "silver", AuthTime: at, Started: at, Seen: at, Ends: at.Add(time.Hour)}
	}
	for name, text := range map[string]string{
		"all":           `{"iss":"https://op.example","sub":"al\"ice","sid":"sid-1","acr":"silver","auth_time":1800000000,"aud":["app"],"exp":1,"email":"a@b"}`,
		"one audience":  `{"iss":"https://op.example","sub":"al\"ice","aud":"app"}`,
		"two audiences": `{"aud":["app","other"],"iss":"https://op.example"}`,
		"other forms":   `{"auth_time":1800000000.5,"sub":"al\u0022ice","aud":[ "app" ],"sid":"other"}`,
		"none":          `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			var all map[string]json.RawMessage
			var want, got map[string]any
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				t.Fatal(err)
			}
			all["nonce"] = json.RawMessage(`"n"`)
			d := session()
			if err := d.setClaims(all); err != nil {
				t.Fatal(err)
			}
			again, err := decodeSession(d.encode())
			if err != nil || !reflect.DeepEqual(d, again) {
				t.Fatalf("it is read as %+v, %v; want %+v", again, err, d)
			}
			out, err := again.allClaims()
			if err != nil || json.Unmarshal(out, &got) != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %s, %v; want %s", out, err, text)
			}
		})
	}
	for n := range session().encode() {
		if _, err := decodeSession(session().encode()[:n]); err == nil {
			t.Errorf("the first %d bytes are a session", n)
		}
	}
}
