//go:build unix

package interop

import "syscall"

// canRun reports whether child processes can be run and ended as this package
// needs it.
const canRun = true

// ownGroup puts a child into a process group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends the process group of a child made with ownGroup.
func killGroup(pid int) {
	// ESRCH means that the group is already gone, which is what we want.
	_ = syscall.Kill(-pid, syscall.SIGKILL)
}
