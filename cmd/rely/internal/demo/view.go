package demo

import (
	"fmt"
	"html/template"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// pageView is what the page shows.
type pageView struct {
	Dev           bool
	Provider      string // host of the OP
	Party         string // host of the relying party
	RedirectURI   string
	Users         []userView
	Choice        choice
	ResponseTypes []string
	Flash         string

	Run      string // tells logins apart; empty before the first
	Sections []sectionView
	Outcome  *outcome
	Fault    *oidctest.FaultInfo // that is armed
	Continue template.URL        // where the browser must go; empty if nowhere
	LoggedIn bool
	Refresh  bool
	Who      string
	Initial  string
	Claims   []claim
	Tokens   []string

	Classics []oidctest.FaultInfo
	Menu     []faultGroup
	Faults   int
}

type userView struct{ Name, Identifier, About string }

type sectionView struct {
	section
	Said  string
	Shown []messageView
	Loose []checkView // checks that ran before there was a message
}

// checkView is a check, and the heading above it if it begins a group.
type checkView struct {
	oidc.Check
	Heading string
}

// tokenHeading stands above the checks of an ID Token.
const tokenHeading = "The ID Token"

type messageView struct {
	message
	Offset   string // since the login began
	Sides    []side
	Below    []checkView
	Secrets  bool
	Revealed bool
}

type relayView struct {
	Action template.URL
	Fields []field
}

// view is what sess is shown. The caller has its turn.
func (s *server) view(sess *session) pageView {
	v := pageView{
		Dev: s.to.dev != nil, Provider: host(s.to.issuer), Party: s.host, RedirectURI: s.to.redirectURI,
		Choice: sess.choice, ResponseTypes: ResponseTypes(), Flash: sess.flash,
	}
	if s.to.dev != nil {
		v.Provider = s.to.dev.Host
		v.Classics, v.Menu = classics(), faultMenu()
		for _, g := range v.Menu {
			v.Faults += len(g.Faults)
		}
		for _, u := range knownUsers(s.to.dev) {
			about := u.Email
			if u.Name != "" && about != "" {
				about = u.Name
			}
			v.Users = append(v.Users, userView{Name: u.Username, Identifier: identifierAt(s.to.dev, u.Username), About: about})
		}
	}
	l := sess.login
	if l == nil {
		for _, st := range loginSteps(sess.choice) {
			v.Sections = append(v.Sections, sectionView{section: section{step: st, State: waiting}, Said: waiting.said()})
		}
		return v
	}
	v.Run = fmt.Sprintf("%d", l.rec.started.UnixNano())
	v.Outcome, v.Fault = l.outcome, l.choice.Fault
	// The address was made by package oidc from metadata that it checked.
	v.Continue = template.URL(l.authURL)
	if l.tokens != nil {
		v.LoggedIn, v.Refresh = true, l.tokens.RefreshToken != ""
		v.Who, v.Claims, v.Tokens = l.who(), l.claims(), l.tokenFacts()
		for _, r := range v.Who {
			v.Initial = string(r)
			break
		}
	}
	for _, sec := range l.rec.snapshot() {
		v.Sections = append(v.Sections, viewSection(sec, sess))
	}
	return v
}

func viewSection(sec section, sess *session) sectionView {
	v := sectionView{section: sec, Said: sec.State.said(), Loose: viewChecks(sec.Checks)}
	for _, m := range sec.Messages {
		v.Shown = append(v.Shown, viewMessage(m, sess.login.rec.started, sess.revealed[m.Seq]))
	}
	return v
}

func viewMessage(m message, started time.Time, reveal bool) messageView {
	at := m.At.Sub(started)
	return messageView{message: m, Below: viewChecks(m.Checks), Offset: fmt.Sprintf("+%.3f s", max(at, 0).Seconds()), Sides: m.sides(reveal, m.At), Secrets: m.secrets(), Revealed: reveal}
}

func viewChecks(checks []oidc.Check) []checkView {
	var out []checkView
	for i, c := range checks {
		v := checkView{Check: c}
		if beginsToken(checks[:i], c) {
			v.Heading = tokenHeading
		}
		out = append(out, v)
	}
	return out
}

// Said is what a screen reader hears of an arrow's end.
func (p party) Said() string {
	switch p {
	case partyBrowser:
		return "Browser"
	case partyRP:
		return "relying party"
	}
	return "OP"
}
