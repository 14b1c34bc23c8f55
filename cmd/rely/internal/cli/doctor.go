package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/doctor"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
)

func (a *app) doctorCommand() *cobra.Command {
	var security, metadataFile string
	var strict bool
	var tenants tenantFlags
	cmd := &cobra.Command{
		Use:     "doctor IDENTIFIER|ISSUER",
		GroupID: groupLook,
		Short:   "Judge a provider: what works, what is weak, which client to use",
		Long: `Reads a provider's metadata and tells in plain words what works with it, what is
weak, what it lacks for OAuth 2.1 and the profiles of FAPI, and which client to
configure: in Go, and as command lines.

With --security the client that is advised follows that profile, and the exit code
says whether the provider has what the profile asks for. Much of a profile shows in
no metadata, so that no lack is a good sign and no proof.

The exit code is 0 if a login works; 6 if none does, if --security names a profile
that the provider lacks something for, or with --strict if anything is weak. It is
4 if the metadata breaks a rule and was refused.`,
		Example: `  rely doctor https://op.example.com
  rely doctor https://op.example.com --security fapi2-security
  rely doctor https://op.example.com --strict --json > report.json
  rely doctor --metadata metadata.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if metadataFile != "" && len(args) == 0 {
				return nil
			}
			return exactly(1, "an identifier or issuer, like alice@example.com or https://op.example.com")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if security != "" && !slices.Contains(doctor.Names(), security) {
				return usage(cmd, errors.New("--security is "+quoted(security)+", expected "+strings.Join(doctor.Names(), ", ")))
			}
			var t *target
			var err error
			if metadataFile != "" {
				if len(args) > 0 {
					return usage(cmd, errors.New("--metadata takes the place of "+quoted(args[0])))
				}
				t, err = a.staticProvider(metadataFile, profile.Connection{})
			} else {
				var c profile.Connection
				if err := tenants.apply(&c, args[0]); err != nil {
					return err
				}
				t, err = a.find(cmd.Context(), args[0], c)
			}
			if err != nil {
				return err
			}
			defer t.provider.Close()
			report := doctor.Examine(t.provider, security, tenantsOf(t.connection))
			if err := a.showReport(report, security); err != nil {
				return err
			}
			wanted, _ := report.Profile(security)
			if len(report.At(doctor.Broken)) > 0 || len(wanted.Lacks) > 0 || strict && len(report.At(doctor.Weak)) > 0 {
				return quiet{ExitUnsupported}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&security, "security", "", "ask for the security profile `NAME`: "+strings.Join(doctor.Names(), ", "))
	f.BoolVar(&strict, "strict", false, "exit with code 6 also if something is weak")
	f.StringVar(&metadataFile, "metadata", "", "judge the provider metadata in `FILE` instead of asking for it; or the JSON itself")
	tenants.register(f)
	return cmd
}

// showReport writes what the doctor found: the verdict, its reasons, what to do.
func (a *app) showReport(r *doctor.Report, security string) error {
	if a.flags.json {
		return a.writeJSON(r)
	}
	p := a.out.Page()
	p.Printf("%s\n", p.Bold(tty.Clean(r.Issuer)))
	broken, weak := r.At(doctor.Broken), r.At(doctor.Weak)
	p.Paragraph(verdict(p, len(broken), len(weak)), 0)
	findings := func(title, mark string, list []doctor.Finding) {
		if len(list) == 0 {
			return
		}
		p.Heading(title)
		for _, f := range list {
			p.Item(mark, cited(p, f.Text, f.Spec))
		}
	}
	findings("What works", p.Good("ok"), r.At(doctor.Works))
	findings("Worth knowing", p.Faint("--"), r.At(doctor.Note))
	findings("What is weak", p.Warn("! "), weak)
	findings("What is broken", p.Bad("x "), broken)
	p.Heading("Security profiles")
	for _, pr := range r.Profiles {
		if security != "" && pr.Name != security {
			continue
		}
		if len(pr.Lacks) == 0 {
			p.Item(p.Good("ok"), pr.Title+": nothing is known to be missing "+p.Faint("(--security "+pr.Name+")"))
			continue
		}
		p.Item(p.Warn("! "), fmt.Sprintf("%s: lacks %s", pr.Title, things(len(pr.Lacks))))
		told := 0
		for _, l := range pr.Lacks {
			// Message Signing builds on the Security Profile, whose lacks were just told.
			if base, _ := r.Profile(doctor.FAPI2Security); security == "" && pr.Name == doctor.FAPI2MessageSigning && slices.Contains(base.Lacks, l) {
				told++
				continue
			}
			spec := l.Spec
			if section, ok := strings.CutPrefix(spec, pr.Title+" "); ok {
				spec = "section " + section
			}
			p.Item("   "+p.Faint("-"), cited(p, l.Text, spec))
		}
		if told > 0 {
			p.Item("   "+p.Faint("-"), "what the Security Profile lacks")
		}
	}
	if r.Advice.Go == "" {
		return nil
	}
	p.Heading("A client for it, in Go")
	for l := range strings.SplitSeq(r.Advice.Go, "\n") {
		p.Printf("  %s\n", codeLine(l))
	}
	p.Heading("The same on the command line")
	for _, c := range r.Advice.Commands {
		p.Printf("  %s\n", tty.Clean(c))
	}
	return nil
}

// codeLine is a line of source with its tabs as spaces, which Clean would make
// one each.
func codeLine(l string) string {
	code := strings.TrimLeft(l, "\t")
	return strings.Repeat("    ", len(l)-len(code)) + tty.Clean(code)
}

// cited is a text of ours with what a stranger wrote in it, and its section.
func cited(p *tty.Printer, text, spec string) string {
	text = tty.Clean(text)
	if spec == "" {
		return text
	}
	return text + " " + p.Faint("("+spec+")")
}

func verdict(p *tty.Printer, broken, weak int) string {
	switch {
	case broken > 0:
		return p.Bad("No login works here.")
	case weak > 0:
		return p.Warn("A login works here; " + isOrAre(weak) + " weak.")
	}
	return p.Good("A login works here, and nothing is weak.")
}

func things(n int) string {
	if n == 1 {
		return "1 thing"
	}
	return fmt.Sprintf("%d things", n)
}

func isOrAre(n int) string {
	if n == 1 {
		return "1 thing is"
	}
	return fmt.Sprintf("%d things are", n)
}
