//go:build unix

package browser

import (
	"os/exec"
	"syscall"
)

// detach puts the program into a process group of its own: Ctrl-C at the terminal
// is sent to ours, and would end the user's browser with the login.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
