//go:build !unix

package browser

import "os/exec"

// detach has nothing to do: what opens the URL there hands it to the system's shell,
// whose child the browser is.
func detach(*exec.Cmd) {}
