package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/demo"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/oidc"
)

// The groups of commands in the help.
const (
	groupLogin   = "login"
	groupUse     = "use"
	groupLook    = "look"
	groupDevelop = "develop"
	groupMore    = "more"
)

func (a *app) addCommands(root *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: groupLogin, Title: "Log in"},
		&cobra.Group{ID: groupUse, Title: "Use a login"},
		&cobra.Group{ID: groupLook, Title: "Look closely"},
		&cobra.Group{ID: groupDevelop, Title: "Develop"},
		&cobra.Group{ID: groupMore, Title: "More"},
	)
	demoCommand := demo.Command(demo.Surroundings{
		Options: func() (*oidc.Options, error) { return a.options(profile.Connection{}) },
		Plain:   func() bool { return a.flags.noColor },
	})
	demoCommand.GroupID = groupDevelop
	demoCommand.Args = exactly(0, "no argument; name a provider with --issuer")
	root.AddCommand(
		a.loginCommand(), a.registerCommand(),
		a.tokenCommand(), a.userinfoCommand(), a.refreshCommand(), a.revokeCommand(), a.profilesCommand(),
		a.discoverCommand(), a.doctorCommand(), a.inspectCommand(), a.verifyCommand(), a.introspectCommand(), a.exchangeCommand(),
		demoCommand, a.opCommand(), a.storeCommand(),
		a.manCommand(), a.versionCommand(),
		environmentTopic(), exitCodesTopic(),
	)
	root.SetHelpCommandGroupID(groupMore)
	root.SetCompletionCommandGroupID(groupMore)
}

// setHelp gives all commands one form of help. It goes to stdout: it was asked
// for.
func (a *app) setHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { a.help(cmd) })
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Use = "help [COMMAND|TOPIC]"
			c.Short = "Help for a command or topic"
			c.Long = "Shows the help of a command or topic."
			c.Example = "  rely help login\n  rely help exit-codes"
			c.Run = nil
			c.RunE = func(_ *cobra.Command, args []string) error {
				target, _, err := root.Find(args)
				if err != nil || target == root && len(args) > 0 {
					return usage(root, errors.New("there is no help on "+quoted(strings.Join(args, " "))))
				}
				a.help(target)
				return nil
			}
		case "completion":
			c.Short = "Write the completion script for a shell"
		}
	}
}

// help writes one page: what the command is, how it is written, what it can do.
func (a *app) help(cmd *cobra.Command) {
	p := tty.New(a.Stdout, a.Getenv, a.flags.noColor).Page()
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	p.Prose(text)
	if cmd.Runnable() || cmd.HasAvailableSubCommands() {
		p.Heading("Usage")
		if cmd.Runnable() && cmd.HasParent() {
			p.Printf("  %s\n", cmd.UseLine())
		}
		if cmd.HasAvailableSubCommands() {
			p.Printf("  %s COMMAND [flags]\n", cmd.CommandPath())
		}
	}
	if cmd.Example != "" {
		p.Heading("Examples")
		p.Println(strings.TrimRight(cmd.Example, "\n"))
	}
	commands := func(title string, which func(*cobra.Command) bool) {
		first := true
		for _, c := range cmd.Commands() {
			if !which(c) {
				continue
			}
			if first {
				p.Heading(title)
				first = false
			}
			p.Hang("  "+p.Bold(c.Name()), c.Short, 2+commandPadding+1)
		}
	}
	for _, g := range cmd.Groups() {
		commands(g.Title, func(c *cobra.Command) bool { return c.GroupID == g.ID && c.IsAvailableCommand() })
	}
	if len(cmd.Groups()) == 0 {
		commands("Commands", (*cobra.Command).IsAvailableCommand)
	}
	commands("Topics", (*cobra.Command).IsAdditionalHelpTopicCommand)
	if flags := cmd.LocalFlags(); hasFlags(flags) && !cmd.IsAdditionalHelpTopicCommand() {
		title := "Flags"
		if !cmd.HasParent() {
			title = "Flags of every command"
		}
		a.helpFlags(p, title, flags, "")
		for _, group := range []string{flagsOfRequest, flagsOfClient, flagsOfProvider} {
			a.helpFlags(p, group, flags, group)
		}
	}
	if !cmd.HasParent() {
		p.Printf("\n%s\n", p.Faint("More on a command: rely COMMAND --help"))
	}
	if cmd.Runnable() && cmd.HasAvailableInheritedFlags() {
		p.Printf("\n%s\n", p.Faint("Flags of every command: rely --help"))
	}
	a.helpErr = p.Err()
}

// hasFlags says whether there is one to tell of: every command has --help.
func hasFlags(flags *pflag.FlagSet) bool {
	found := false
	flags.VisitAll(func(f *pflag.Flag) { found = found || !f.Hidden && f.Name != "help" })
	return found
}

// The groups of flags, for commands that have more than a screen of them.
const (
	flagsOfRequest  = "What is asked for"
	flagsOfClient   = "Who we are: the client"
	flagsOfProvider = "What the provider is like"
)

// flagGroup is the annotation of a flag that is in a group.
const flagGroup = "rely_group"

// grouped puts flags into a group.
func grouped(f *pflag.FlagSet, group string, names ...string) {
	for _, name := range names {
		_ = f.SetAnnotation(name, flagGroup, []string{group}) // TestFlagGroups asks for each
	}
}

// groupOf is the group of a flag, or "".
func groupOf(f *pflag.Flag) string {
	if g := f.Annotations[flagGroup]; len(g) > 0 {
		return g[0]
	}
	return ""
}

// helpFlags writes each flag of a group with what it does, in two columns, below
// a title if there is one.
func (a *app) helpFlags(p *tty.Printer, title string, flags *pflag.FlagSet, group string) {
	var rows []tty.Field
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || groupOf(f) != group {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		switch {
		case f.Value.Type() == "bool":
		case f.NoOptDefVal != "":
			name += "[=" + strings.ToUpper(value) + "]"
		default:
			name += " " + strings.ToUpper(value)
		}
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			usage += " (default: " + defaultText(f) + ")"
		}
		rows = append(rows, tty.Field{Label: name, Value: usage})
	})
	if len(rows) > 0 {
		p.Heading(title)
		p.Fields(rows...)
	}
}

// defaultText is the default of a flag as one would write it: 5m, not 5m0s.
func defaultText(f *pflag.Flag) string {
	if f.Value.Type() == "duration" {
		if whole, ok := strings.CutSuffix(f.DefValue, "m0s"); ok {
			return whole + "m"
		}
	}
	return strings.Trim(f.DefValue, "[]")
}

// commandPadding is the width of the column of commands.
const commandPadding = 12

func environmentTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "environment",
		Short: "Environment variables, the configuration file, and where things are kept",
		Long: `Every flag can be set by a variable, RELY_ and its name in capitals: --ca-file by
RELY_CA_FILE, --insecure-http by RELY_INSECURE_HTTP=true. Lists have commas:
RELY_SCOPE=profile,email. What the command line says goes first, then the
environment, then the configuration file, then the default.

The configuration file is config.json in the home directory, or the file of
--config: one JSON object whose members are named like flags.

  {"timeout": "20s", "ca-file": "corp.pem", "allow-private": ["10.0.0.0/8"]}

These are not flags:

  RELY_HOME            the home directory, like --home
  RELY_CLIENT_SECRET   the client secret, in place of --client-secret-file
  RELY_INITIAL_TOKEN   the initial access token, in place of --initial-token-file
  BROWSER, DISPLAY     choose the browser on Linux and the BSDs
  NO_COLOR             write without colours
  HTTPS_PROXY          the proxy to use; NO_PROXY names hosts to reach without it

Secrets are never taken from the command line, which other users can read. They
come from a file, standard input, the environment, or a prompt without echo.

The home directory is rely in the user's configuration directory (~/.config on
Linux). It holds a file for each profile, mode 0600, with the client and the
tokens. The secret part is sealed with a key in the system's keychain where there
is one; --keychain=require refuses to keep it otherwise, --keychain=off never
asks. Files that others can read, and symbolic links, are refused.`,
	}
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: fmt.Sprintf(`  %3d  all is well
  %3d  something else failed: a file, the keychain
  %3d  the command line, a setting or a file given is wrong
  %3d  the provider answered that it will not (its error code is shown)
  %3d  the provider, or someone who poses as it, broke a rule; nothing was accepted
  %3d  no usable answer came: network, name, TLS, timeout
  %3d  the provider lacks what was asked for
  %3d  nobody is logged in, or the login is over: run rely login
  %3d  nobody finished the login in time
  %3d  interrupted

An error is one line on standard error that begins with "rely:"; a terminal shows
it broken between words.`,
			ExitOK, ExitFailure, ExitUsage, ExitRefused, ExitProtocol, ExitNetwork, ExitUnsupported, ExitLogin, ExitTimeout, ExitInterrupted),
	}
}

func (a *app) manCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "man",
		GroupID: groupMore,
		Short:   "Write the manual pages",
		Long:    "Writes a manual page for each command into a directory.",
		Example: "  rely man --dir ~/.local/share/man/man1 && man rely-login",
		Args:    exactly(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := os.Stat(dir)
			if err != nil || !info.IsDir() {
				return usage(cmd, fmt.Errorf("--dir %s is no directory", quoted(dir)))
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			// Dated by SOURCE_DATE_EPOCH if it is set, or else today.
			if err := doc.GenManTree(root, &doc.GenManHeader{Title: "RELY", Section: "1", Source: "Rely " + version(), Manual: "Rely"}, dir); err != nil {
				return fmt.Errorf("the manual pages were not written: %w", err)
			}
			pages, err := filepath.Glob(filepath.Join(dir, "rely*.1"))
			if err != nil {
				return err
			}
			if a.flags.json {
				return a.writeJSON(pages)
			}
			a.out.Printf("Wrote %d pages; man -l %s shows the first.\n", len(pages), filepath.Join(dir, "rely.1"))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "write to the directory `DIR`")
	return cmd
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: groupMore,
		Short:   "Print the version",
		Long:    "Prints the version of rely, of Go and of the system it was built for.",
		Example: "  rely version --json",
		Args:    exactly(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			if a.flags.json {
				return a.writeJSON(map[string]string{"version": version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			a.out.Printf("rely %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// version is what the build says of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
