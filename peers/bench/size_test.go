package main

import (
	"runtime"
	"testing"
)

// TestSize: a program that logs users in carries at most 1 MiB more than net/http,
// and none of what it does not name (decision 0006). The budget is that of the
// measured platform.
func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds two programs")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the budget is for linux/amd64")
	}
	dir := t.TempDir()
	floor, _, err := buildMinimal(dir, "nethttp")
	if err != nil {
		t.Fatal(err)
	}
	size, modules, err := buildMinimal(dir, "rely")
	if err != nil {
		t.Fatal(err)
	}
	if more := size - floor; more > 1<<20 {
		t.Errorf("the program is %s larger than net/http alone, the budget is 1.00 MiB", mebi(more))
	}
	if modules > 3 {
		t.Errorf("%d modules are linked, the budget is 3", modules)
	}
}
