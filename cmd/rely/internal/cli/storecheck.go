package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/tty"
	"rely.example/store"
	"rely.example/store/redisstore"
	"rely.example/store/sqlstore"
	"rely.example/store/storetest"
)

// Bounds on what store check does to a store that is in use.
const (
	maxRaces = 2000
	maxSkew  = time.Minute
)

func (a *app) storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "store",
		GroupID: groupDevelop,
		Short:   "Check the store of a deployment",
		Long: `A relying party that runs as several processes keeps logins and sessions in a
store that they share. What it must promise is a contract, which rely store check
puts to the test.`,
		Example: "  rely store check redis://cache.example:6379",
	}
	cmd.AddCommand(a.storeCheckCommand())
	return cmd
}

func (a *app) storeCheckCommand() *cobra.Command {
	s := storetest.Subject{}
	cmd := &cobra.Command{
		Use:   "check URL",
		Short: "Put the contract of stores to the test, against a store that may be in use",
		Long: `Opens the store at a URL twice, as two processes would, and tries every promise of
the contract on it: one winner of each race, no lost update, no revived record,
expiry, tags, bounds.

  sqlite:/var/lib/shop/rely.db
  postgres://USER:PASSWORD@HOST/DATABASE
  redis://USER:PASSWORD@HOST:PORT/NUMBER   also rediss, valkey, valkeys

What it writes has names of its own, and is removed again or expires within
minutes, so that the store may be in use. Tables are made if there are none. It
takes some seconds, most of them for what must expire.

The exit code is 0 if every promise is kept, 4 if one is broken, 5 if the store
cannot be reached and 2 if the URL is none.`,
		Example: `  rely store check sqlite:/var/lib/shop/rely.db
  rely store check "$DATABASE_URL" --skew 2s
  rely store check redis://cache.example:6379 --json > report.json`,
		Args: exactly(1, "the URL of a store, like sqlite:/var/lib/shop/rely.db or redis://cache.example:6379"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.Goroutines < 2 || s.Goroutines > maxRaces {
				return usage(cmd, fmt.Errorf("--races is %d, expected 2 to %d", s.Goroutines, maxRaces))
			}
			if s.Skew <= 0 || s.Skew > maxSkew {
				return usage(cmd, fmt.Errorf("--skew is %v, expected more than 0 and at most %v", s.Skew, maxSkew))
			}
			return a.checkStore(cmd, args[0], s)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&s.Skew, "skew", 500*time.Millisecond, "how far the store's clock may be from the one here, as a `TIME`")
	f.IntVar(&s.Goroutines, "races", 200, "how `MANY` race for one record")
	return cmd
}

// storeReport is the result of store check.
type storeReport struct {
	Store    string         `json:"store"`
	Kept     bool           `json:"kept"`
	Promises []storePromise `json:"promises"`
}

type storePromise struct {
	Name   string `json:"name"`
	Kept   bool   `json:"kept"`
	Detail string `json:"detail,omitempty"`
	Millis int64  `json:"milliseconds"`
}

func (a *app) checkStore(cmd *cobra.Command, raw string, s storetest.Subject) error {
	one, name, err := openStore(cmd, raw)
	if err != nil {
		return err
	}
	defer one.Close()
	another, _, err := openStore(cmd, raw)
	if err != nil {
		return err
	}
	defer another.Close()
	s.Store, s.Another = one, another
	if _, ok := one.(*redisstore.Store); ok {
		s.Lag = redisstore.MaxLag
	}
	// One call, before all of them say the same.
	if _, err := one.Tagged(cmd.Context(), "storetest:rely-store-check"); err != nil {
		return unreachable(cmd.Context(), err)
	}
	report := storeReport{Store: name, Kept: true}
	for _, r := range storetest.Check(cmd.Context(), s) {
		p := storePromise{Name: r.Name, Kept: r.Err == nil, Millis: r.Took.Milliseconds()}
		if r.Err != nil {
			p.Detail, report.Kept = r.Err.Error(), false
		}
		report.Promises = append(report.Promises, p)
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if err := a.showStore(report); err != nil {
		return err
	}
	if !report.Kept {
		return quiet{ExitProtocol}
	}
	return nil
}

func (a *app) showStore(r storeReport) error {
	if a.flags.json {
		return a.writeJSON(r)
	}
	p := a.out.Page()
	p.Printf("%s\n", p.Bold(tty.Clean(r.Store)))
	broken := 0
	p.Heading("The contract")
	for _, promise := range r.Promises {
		if promise.Kept {
			p.Item(p.Good("ok"), inWords(promise.Name))
			continue
		}
		broken++
		p.Item(p.Bad("x "), inWords(promise.Name)+": "+tty.Clean(strings.ReplaceAll(promise.Detail, "\n", "; ")))
	}
	p.Println()
	if broken > 0 {
		p.Paragraph(p.Bad(fmt.Sprintf("%d of %d promises are broken.", broken, len(r.Promises)))+" Do not keep sessions there.", 0)
		return nil
	}
	p.Paragraph(p.Good(fmt.Sprintf("All %d promises are kept.", len(r.Promises))), 0)
	return nil
}

// inWords writes the name of a case, CreateHasOneWinner, as words.
func inWords(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// keptStore is a store with connections.
type keptStore interface {
	store.Store
	io.Closer
}

// openStore opens the store of a URL, and names it without its password.
func openStore(cmd *cobra.Command, raw string) (s keptStore, name string, err error) {
	scheme, _, _ := strings.Cut(raw, ":")
	u, err := url.Parse(raw)
	if err != nil || scheme == raw {
		// What the parser says quotes the URL, and a password with it.
		return nil, "", usage(cmd, errors.New("the URL of the store cannot be understood"))
	}
	name = withoutPassword(u)
	ctx := cmd.Context()
	switch {
	case slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme):
		s, err = sqlstore.Open(ctx, raw)
	case slices.Contains([]string{"redis", "rediss", "valkey", "valkeys", "unix"}, scheme):
		s, err = redisstore.Open(ctx, raw)
	default:
		return nil, "", usage(cmd, errors.New("the URL of the store begins with "+quoted(scheme+":")+", expected sqlite:, postgres: or redis:"))
	}
	if err != nil {
		return nil, "", unreachable(ctx, err)
	}
	return s, name, nil
}

// withoutPassword is the URL with its passwords masked: that of its user, and those
// that PostgreSQL takes as parameters.
func withoutPassword(u *url.URL) string {
	shown := *u
	pairs := strings.Split(u.RawQuery, "&")
	for i, pair := range pairs {
		key, _, found := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(key); found && (err != nil || strings.HasSuffix(name, "password")) {
			pairs[i] = key + "=xxxxx"
		}
	}
	shown.RawQuery = strings.Join(pairs, "&")
	return shown.Redacted()
}

// errStore says that a store did not answer.
type errStore struct{ err error }

func (e errStore) Error() string { return "the store cannot be used: " + e.err.Error() }
func (e errStore) Unwrap() error { return e.err }

// unreachable tells what the network did from what the store said.
func unreachable(ctx context.Context, err error) error {
	if _, ok := errors.AsType[net.Error](err); ok && ctx.Err() == nil {
		return errStore{err}
	}
	return fmt.Errorf("the store cannot be used: %w", err)
}
