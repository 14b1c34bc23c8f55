package fetch

import (
	"fmt"
	"strings"
	"testing"
)

// TestCheckedURLs: what is remembered is bounded, and never what was refused.
func TestCheckedURLs(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	first, fail := c.checkedURL("https://op.example/token")
	if fail != nil {
		t.Fatal(fail)
	}
	if again, _ := c.checkedURL("https://op.example/token"); again != first {
		t.Error("a URL was checked twice")
	}
	for i := range 10 * maxChecked {
		if _, fail := c.checkedURL(fmt.Sprintf("https://op.example/%d", i)); fail != nil {
			t.Fatal(fail)
		}
		if got := len(*c.checked.urls.Load()); got > maxChecked {
			t.Fatalf("%d URLs are remembered, want at most %d", got, maxChecked)
		}
	}
	before := c.checked.urls.Load()
	for range 2 {
		for _, raw := range []string{"http://op.example/", "https://127.0.0.1/", "https://op.example:22/", "https://u@op.example/"} {
			if _, fail := c.checkedURL(raw); fail == nil {
				t.Errorf("%s: accepted", raw)
			}
		}
		if _, fail := c.checkedURL("https://op.example/" + strings.Repeat("a", maxCheckedURL)); fail != nil {
			t.Error(fail)
		}
	}
	if c.checked.urls.Load() != before {
		t.Error("a URL that was refused, or a long one, is remembered")
	}
}
