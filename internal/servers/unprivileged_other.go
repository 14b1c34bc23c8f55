//go:build !unix

package servers

import "os/exec"

// unprivileged returns how to run a program that refuses to run as root; here
// there is no root.
func unprivileged(string) (func(name string, args ...string) *exec.Cmd, error) {
	return exec.Command, nil
}
