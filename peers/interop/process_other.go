//go:build !unix

package interop

import "syscall"

// canRun reports whether child processes can be run and ended as this package
// needs it: without process groups they cannot.
const canRun = false

func ownGroup() *syscall.SysProcAttr { return nil }

func killGroup(int) {}
