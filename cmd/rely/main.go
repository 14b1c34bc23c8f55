// Command rely is an OpenID Connect Relying Party for the terminal: it discovers
// providers, registers clients, logs in through the browser, keeps the tokens
// and explains every check. rely --help tells more.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"rely.example/cmd/rely/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	// A terminal that is closed ends the command like Ctrl-C, so that nothing is left
	// half done; under nohup it goes on.
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	// The first signal asks the command to end; a second one ends it.
	context.AfterFunc(ctx, stop)
	return cli.Run(ctx, cli.Process{
		Args:   os.Args[1:],
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Getenv: os.Getenv,
	})
}
