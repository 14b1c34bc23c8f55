package jose

import (
	"strconv"
	"strings"
	"time"
)

// clampAge reads from a Cache-Control field (RFC 9111 section 5.2) for how long
// a response is fresh, and clamps it to [lowest, highest]. A directive that
// forbids keeping it, or that makes no sense, gives the lowest (RFC 9111 section
// 4.2.1: "encouraged to consider responses that have invalid freshness
// information to be stale"); a field that says nothing gives unstatedAge.
// The Age field is not read: the clamp is what the bounds rest on.
func clampAge(field string, lowest, highest time.Duration) time.Duration {
	age := unstatedAge
	stated := false
	for directive := range strings.SplitSeq(field, ",") {
		name, argument, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return lowest
		case "max-age":
			if stated {
				return lowest // said twice
			}
			stated = true
			seconds, err := strconv.ParseUint(strings.Trim(argument, `"`), 10, 63)
			switch {
			case err == nil && seconds <= uint64(highest/time.Second):
				age = time.Duration(seconds) * time.Second
			case err == nil || isDigits(argument):
				age = highest
			default:
				return lowest
			}
		}
	}
	return min(max(age, lowest), highest)
}

// isDigits reports whether s is a number, if one too long for an integer.
func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
