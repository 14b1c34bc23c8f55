package oidc

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"

	"rely.example/internal/strictjson"
)

// demandedClaims are the claims of the ID Token that were asked for as essential
// with a value or values (Core section 5.5.1), and sub with a value, which is a
// demand by itself (Core section 3.1.2.1): what each must be one of, as JSON. acr
// has a place of its own.
//
// A claim that a transaction hangs on, such as the openbanking_intent_id of a
// payment, must not be another one than was asked for.
func (c *ClaimsRequest) demandedClaims() (map[string][]json.RawMessage, error) {
	if c == nil {
		return nil, nil
	}
	var out map[string][]json.RawMessage
	for name, r := range c.IDToken {
		if name == "acr" || r == nil || !r.Essential && name != "sub" {
			continue
		}
		values := slices.Clone(r.Values)
		if r.Value != nil {
			values = append(values, r.Value)
		}
		for _, v := range values {
			b, err := json.Marshal(v)
			if err != nil {
				return nil, refuse("Claims", "it cannot be encoded")
			}
			if out == nil {
				out = make(map[string][]json.RawMessage)
			}
			out[name] = append(out[name], b)
		}
	}
	return out, nil
}

// checkDemanded compares the claims with those demanded. One that is absent is
// refused in the last ID Token of a login alone: one from the authorization
// endpoint may have fewer claims than the one that the code gives (Core section
// 3.3.2.11).
func checkDemanded(k *checker, payload string, x expectation) error {
	if len(x.demanded) == 0 {
		return nil
	}
	got := make(map[string]json.RawMessage)
	if err := strictjson.Scan(payload, func(name, value string) error {
		if x.demanded[name] != nil {
			got[name] = json.RawMessage(value)
		}
		return nil
	}); err != nil {
		return k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	return meetDemands(k, got, x.demanded, x.moreToCome)
}

// meetDemands asks for each claim demanded, and, where there are values, for one of
// them. more says that one that is absent may yet come.
func meetDemands(k *checker, got map[string]json.RawMessage, demanded map[string][]json.RawMessage, more bool) error {
	for name, values := range demanded {
		value, there := got[name]
		if !there && more {
			continue
		}
		if err := k.that(there, MissingClaim, "Core 5.5.1", name+" is there, as it was demanded", name, ""); err != nil {
			return err
		}
		if len(values) == 0 {
			continue
		}
		// Their values may be an account's or a payment's, so none is told.
		if err := k.that(slices.ContainsFunc(values, func(v json.RawMessage) bool { return sameJSON(v, value) }), BadClaim, "Core 5.5.1",
			name+" is one of the values that were demanded", "", ""); err != nil {
			return err
		}
	}
	return nil
}

// sameJSON compares two values: numbers as they are written, objects in any order.
func sameJSON(a, b json.RawMessage) bool {
	var values [2]any
	for i, text := range [...]json.RawMessage{a, b} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if d.Decode(&values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}
