// Package cli is the command rely: an OpenID Connect Relying Party for the
// terminal. Run is the whole of it; package main gives it the process.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/cmd/rely/internal/vault"
)

// Process is what the command has of the process that it runs in.
type Process struct {
	// Args are the arguments, without the name of the program.
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Run runs one command and returns its exit code. ctx ends when the user
// interrupts.
func Run(ctx context.Context, p Process) int {
	if p.Now == nil {
		p.Now = time.Now
	}
	a := &app{Process: p}
	root := a.rootCommand()
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case a.helpErr != nil:
		err = a.helpErr
	case err == nil && a.out != nil:
		err = a.out.Err()
	case err != nil && a.out == nil:
		// It failed before any command ran.
		err = usage(nil, err)
	}
	if werr := a.archive.write(); err == nil {
		err = werr
	}
	if err == nil {
		return ExitOK
	}
	code := exitCode(ctx, err)
	if !errors.As(err, new(quiet)) {
		a.report(code, err)
	}
	return code
}

// app is one run of the command.
type app struct {
	Process
	flags globalFlags
	// given are the flags of the command line itself.
	given map[string]bool
	// out and err are made once it is known whether colours are wanted.
	out, err *tty.Printer
	// helpErr is why a page of help was not written.
	helpErr error
	// archive is what --har writes; nil if nobody asked.
	archive *archive
}

// globalFlags are the flags that every command has.
type globalFlags struct {
	profile, issuer string
	json            bool
	home, config    string
	keychain        string
	connection      connectionFlags
	noColor         bool
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "rely",
		Short: "OpenID Connect Relying Party for the terminal",
		Long: `rely logs in to OpenID Providers and looks closely at what they answer.

It discovers a provider from an identifier or issuer, registers a client, logs
in through your browser, keeps the tokens safe and fresh, and explains every
check that was made. rely demo shows a whole login on one page, without any
provider of your own.`,
		Example: `  rely demo                                  watch a login happen
  rely discover accounts.google.com          what a provider can do
  rely login https://op.example.com          log in through the browser
  curl -H "Authorization: Bearer $(rely token)" https://api.example.com/
  rely token --id-token | rely inspect       explain a token, check by check`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          a.unknown,
		// A typing error, not another word.
		SuggestionsMinimumDistance: 2,
	}
	root.PersistentPreRunE = a.prepare
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVarP(&a.flags.profile, "profile", "p", "", "use the profile `NAME`")
	f.StringVarP(&a.flags.issuer, "issuer", "i", "", "use the profile of the issuer `URL`")
	f.BoolVar(&a.flags.json, "json", false, "write JSON, for programs")
	f.BoolVar(&a.flags.noColor, "no-color", false, "write without colours")
	f.StringVar(&a.flags.home, "home", "", "keep profiles in `DIR` (default: rely in the user's configuration directory)")
	f.StringVar(&a.flags.config, "config", "", "read settings from `FILE` (default: config.json in the home directory, if there)")
	f.StringVar(&a.flags.keychain, "keychain", "auto", "seal profiles with a key in the system's keychain, by `MODE`: auto, require or off")
	a.flags.connection.register(f)
	a.addCommands(root)
	a.setHelp(root)
	return root
}

// unknown is what rely does without a command, or with one that is none.
func (a *app) unknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := "there is no command " + quoted(args[0])
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		return usage(nil, errors.New(text+"; did you mean rely "+s[0]+"?"))
	}
	return usage(cmd, errors.New(text))
}

// flagError says what is wrong with a flag, and which one may be meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usage(cmd, err)
	}
	if unknown.GetSpecifiedShortnames() != "" {
		return usage(cmd, errors.New("there is no flag -"+tty.Clean(unknown.GetSpecifiedName())))
	}
	text := "there is no flag --" + tty.Clean(unknown.GetSpecifiedName())
	if near := nearest(unknown.GetSpecifiedName(), cmd); near != "" {
		text += "; did you mean --" + near + "?"
		return usage(nil, errors.New(text))
	}
	return usage(cmd, errors.New(text))
}

// nearest is the flag of a command that a typing error made of it, or that begins
// so, or "".
func nearest(typed string, cmd *cobra.Command) string {
	found, least := "", 3
	each(cmd, func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		d := distance(typed, f.Name)
		if len(typed) > 2 && strings.HasPrefix(f.Name, typed) {
			d = 1
		}
		if d < least && d < len(typed) {
			found, least = f.Name, d
		}
	})
	return found
}

// maxTyped bounds a name that is compared with others, in bytes.
const maxTyped = 64

// distance is how many letters must be written, removed or changed to make one
// word of another.
func distance(a, b string) int {
	if len(a) > maxTyped || len(b) > maxTyped {
		return maxTyped
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// prepare runs before every command: settings from the environment and the
// configuration file take the place of flags that were not given.
func (a *app) prepare(cmd *cobra.Command, _ []string) error {
	if err := a.settle(cmd); err != nil {
		return err
	}
	a.out = tty.New(a.Stdout, a.Getenv, a.flags.noColor)
	a.err = tty.New(a.Stderr, a.Getenv, a.flags.noColor)
	if name := a.flags.connection.har; name != "" {
		archive, err := openArchive(name)
		if err != nil {
			return err
		}
		a.archive = archive
	}
	switch a.flags.keychain {
	case "auto", "require", "off":
		return nil
	}
	return usage(cmd, errors.New("--keychain is "+quoted(a.flags.keychain)+", expected auto, require or off"))
}

// home is the directory of the profiles.
func (a *app) home() (string, error) {
	if a.flags.home != "" {
		return a.flags.home, nil
	}
	if dir := a.Getenv("RELY_HOME"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", usage(nil, errors.New("the user's configuration directory is not known: give a directory with --home or RELY_HOME"))
	}
	return dir + string(os.PathSeparator) + "rely", nil
}

func (a *app) store() (*profile.Store, error) {
	dir, err := a.home()
	if err != nil {
		return nil, err
	}
	v := &vault.Vault{Dir: dir}
	switch a.flags.keychain {
	case "auto":
		v.Keychain = vault.SystemKeychain(a.Getenv)
	case "require":
		v.Keychain, v.RequireKeychain = vault.SystemKeychain(a.Getenv), true
	}
	return &profile.Store{Vault: v}, nil
}

// note tells the user something on the side: on stderr, so that it is never
// part of a result, and not to a program.
func (a *app) note(text string) {
	if !a.flags.json {
		a.err.Paragraph(a.err.Faint(tty.Clean(text)), 0)
	}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(tty.Clean(s), `"`, "'") + `"` }
