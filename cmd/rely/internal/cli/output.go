package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"rely.example/cmd/rely/internal/tty"
)

// writeJSON writes v as indented JSON, with the characters of HTML as they are.
func (a *app) writeJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("the result cannot be written as JSON: %w", err)
	}
	_, err := a.out.Write(b.Bytes())
	return err
}

// list writes values with commas between them.
func list(values []string) string { return tty.Clean(strings.Join(values, ", ")) }

// claimFields are claims as labelled values, those that say who it is first.
// Times are humanised.
func claimFields(raw json.RawMessage, now time.Time) []tty.Field {
	var claims map[string]json.RawMessage
	if json.Unmarshal(raw, &claims) != nil {
		return []tty.Field{{Label: "(not an object)", Value: tty.Clean(string(raw))}}
	}
	first := []string{"iss", "sub", "aud", "azp", "name", "preferred_username", "email", "email_verified"}
	var fields []tty.Field
	add := func(name string) {
		if v, ok := claims[name]; ok {
			fields = append(fields, tty.Field{Label: tty.Clean(name), Value: claimText(name, v, now)})
			delete(claims, name)
		}
	}
	for _, name := range first {
		add(name)
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		add(name)
	}
	return fields
}

// maxClaim bounds what is shown of one claim, in bytes.
const maxClaim = 4 << 10

// claimText is one claim for a person.
func claimText(name string, v json.RawMessage, now time.Time) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		if text == "" {
			return `""`
		}
		return tty.Clean(text)
	}
	switch name {
	case "exp", "iat", "nbf", "auth_time", "updated_at":
		if f, err := strconv.ParseFloat(string(v), 64); err == nil && f > -1e11 && f < 1e11 {
			return tty.When(time.Unix(int64(f), 0), now)
		}
	}
	var words []string
	if json.Unmarshal(v, &words) == nil && words != nil {
		return list(words)
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil || b.Len() > maxClaim {
		return fmt.Sprintf("(%d bytes)", len(v))
	}
	return tty.Clean(b.String())
}
