package demo

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"rely.example/oidctest"
)

// chromium finds a browser; the test is skipped without one, unless everything
// is required.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("RELY_REQUIRE") == "all" {
		t.Fatal("there is no Chromium, and RELY_REQUIRE is all")
	}
	t.Skip("there is no Chromium to drive")
	return ""
}

// person sits in front of a real browser.
type person struct {
	t   *testing.T
	ctx context.Context
	to  *target
	url string

	mu         sync.Mutex // guards complaints
	complaints []string   // of the browser, about the page
}

// sit opens the page of a demonstration of its own, where nothing moves by
// itself: the person prefers reduced motion.
func sit(t *testing.T, width, height int64) *person {
	t.Helper()
	path := chromium(t)
	p := &person{t: t, to: devTarget(t, true)}
	served, err := serve(t.Context(), 0, "127.0.0.1", func(host string) (http.Handler, error) {
		p.to.redirectURI = "http://" + host + callbackPath
		p.url = "http://" + host + "/"
		s, err := newServer(p.to, host)
		if err == nil {
			t.Cleanup(s.close)
		}
		return s, err
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := served.close(); err != nil {
			t.Error(err)
		}
	})
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(alloc)
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	p.ctx = ctx
	p.motion("reduce")
	p.do(chromedp.EmulateViewport(width, height))
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Navigate(p.url), chromedp.WaitVisible(chromedp.CSS(".intro")))
	return p
}

// motion is what the person's system says of prefers-reduced-motion.
func (p *person) motion(preference string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: preference}},
		})
		return err
	}))
}

// hear keeps what the browser complains of, such as what a policy forbade.
func (p *person) hear(ev any) {
	e, ok := ev.(*cdplog.EventEntryAdded)
	if !ok || e.Entry == nil || e.Entry.Level != cdplog.EntryLevelError {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, e.Entry.Text)
}

func (p *person) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.complaints)
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		where, _ := chromedp.Run(p.ctx, chromedp.Location())
		p.t.Fatalf("%v, at %s", err, where)
	}
}

func (p *person) click(css string) { p.t.Helper(); p.do(chromedp.Click(chromedp.CSS(css))) }
func (p *person) see(css string)   { p.t.Helper(); p.do(chromedp.WaitVisible(chromedp.CSS(css))) }

func (p *person) press(keys string) { p.t.Helper(); p.do(chromedp.KeyEvent(keys)) }

func ask[T any](p *person, js string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
	return v
}

func (p *person) text(css string) string {
	p.t.Helper()
	return ask[string](p, "document.querySelector("+strconv.Quote(css)+").innerText")
}

// until waits for an expression to become true.
func (p *person) until(js string) {
	p.t.Helper()
	for p.ctx.Err() == nil {
		// Between two pages there is none to ask.
		if yes, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](js)); err == nil && yes {
			return
		}
		p.do(chromedp.Sleep(20 * time.Millisecond))
	}
	p.t.Fatalf("it never became true: %s", js)
}

// throughOP goes to the OP and back. Its page is shown where it has to ask.
func (p *person) throughOP() {
	p.t.Helper()
	p.click("#go")
	p.until(`document.querySelector("button[value=allow]") !== null || document.querySelector("#turn") === null && document.querySelector("#outcome .result") !== null`)
	if ask[bool](p, `document.querySelector("button[value=allow]") !== null`) {
		p.click("button[value=allow]")
	}
	p.until(`document.querySelector("#turn") === null && document.querySelector("#outcome .result") !== null`)
}

// part is t.Run for something that the person does next.
func (p *person) part(name string, f func(t *testing.T)) {
	whole := p.t
	defer func() { p.t = whole }()
	whole.Run(name, func(t *testing.T) {
		p.t = t
		f(t)
	})
}

// choose sets a menu as a person does.
func (p *person) choose(id, value string) {
	p.t.Helper()
	ask[bool](p, `(() => { const s = document.getElementById(`+strconv.Quote(id)+`); s.closest("details").open = true; s.value = `+strconv.Quote(value)+
		`; s.dispatchEvent(new Event("change", {bubbles: true})); return true })()`)
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	p := sit(t, 1280, 900)

	p.click("#login .primary")
	p.see("#go")
	if got := ask[[]string](p, `[...document.querySelectorAll(".section")].map((s) => s.dataset.state)`); !slices.Equal(got, []string{"done", "done", "done", "done", "waiting", "waiting"}) {
		t.Errorf("before the redirect the steps are %v", got)
	}
	p.throughOP()
	wantIn(t, p.text("#outcome"), "Logged in as Alice Liddell", "alice@example.com (verified)")
	if n := ask[int](p, `document.querySelectorAll('.section[data-state="done"]').length`); n != 6 {
		t.Errorf("%d steps are done, want 6", n)
	}
	if n := ask[int](p, `document.querySelectorAll(".checks .fail").length`); n != 0 {
		t.Errorf("%d checks failed, want none", n)
	}

	p.part("open and reveal", func(t *testing.T) {
		const message = "#s-finish .message:nth-child(2)"
		p.click(message + " summary")
		p.see(message + " .reveal button")
		inside := p.text(message + " .inside")
		wantIn(t, inside, "Reveal the secrets", "[redacted]", "grant_type", "authorization_code", "id_token, decoded: claims", "in 10 minutes")
		p.click(message + " .reveal button")
		p.until(`document.querySelector("` + message + ` .inside").innerText.includes("Hide the secrets")`)
		if inside = p.text(message + " .inside"); strings.Contains(inside, "[redacted]") || !strings.Contains(inside, "code_verifier") {
			t.Errorf("the secrets are not revealed:\n%s", inside)
		}
		p.click(message + " .reveal button")
		p.until(`document.querySelector("` + message + ` .inside").innerText.includes("[redacted]")`)
	})

	p.part("UserInfo, refresh, logout", func(t *testing.T) {
		p.click(`form[action="/userinfo"] button`)
		p.until(`document.querySelectorAll("#s-userinfo .message").length === 2`)
		p.until(`document.getElementById("main").getAttribute("aria-busy") === "false"`)
		p.click(`form[action="/refresh"] button`)
		p.until(`document.querySelector("#outcome").innerText.includes("Refreshed: new tokens")`)
		p.see(`#s-refresh[data-state="done"]`)
		p.until(`document.getElementById("main").getAttribute("aria-busy") === "false"`)
		p.click(`form[action="/logout"] button`)
		p.until(`document.querySelector("#outcome").innerText.includes("Logged out")`)
	})

	// TestLoginWithoutScript has all of them; these are each type, and each mode
	// with a code and without one.
	for _, c := range [][2]string{
		{"code", "form_post"}, {"code", "fragment"}, {"id_token", "form_post"}, {"id_token token", "fragment"},
		{"code id_token", "fragment"}, {"code token", "form_post"}, {"code id_token token", "fragment"},
	} {
		p.part(c[0]+" by "+c[1], func(t *testing.T) {
			p.do(chromedp.Navigate(p.url))
			p.choose("response_type", c[0])
			p.choose("response_mode", c[1])
			p.click("#login .primary")
			p.throughOP()
			wantIn(t, p.text("#outcome"), "Logged in as Alice Liddell")
			if where := ask[string](p, "location.href"); where != p.url {
				t.Errorf("the answer stays in the address: %s", where)
			}
		})
	}

	for _, f := range []oidctest.Fault{oidctest.NonceWrong, oidctest.AnswerInFragment, oidctest.AnswerByPost, oidctest.CHashWrong} {
		p.part(string(f), func(t *testing.T) {
			p.do(chromedp.Navigate(p.url))
			ask[bool](p, `document.querySelector('button[name="fault"][value="`+string(f)+`"]').click() === undefined`)
			p.throughOP()
			wantIn(t, p.text("#outcome .result"), "Caught: ", "No token was accepted.", "Never sent: ")
			p.see("#s-finish .checks .fail")
		})
	}

	p.part("a rule broken before the redirect", func(t *testing.T) {
		p.do(chromedp.Navigate(p.url))
		p.click(`#break > .faults button[value="` + string(oidctest.IssuerOther) + `"]`)
		p.until(`document.querySelector("#outcome")?.innerText.includes("metadata is of another issuer")`)
		wantIn(t, p.text("#outcome .result"), "Caught: metadata is of another issuer", "Never sent: registration")
	})

	p.part("find a rule", func(t *testing.T) {
		ask[bool](p, `document.getElementById("all-faults").open = true`)
		p.do(chromedp.SendKeys(chromedp.CSS("#filter"), "nonce number"))
		p.until(`document.getElementById("found").textContent === "1 rule"`)
	})

	p.part("by itself", func(t *testing.T) {
		p.motion("no-preference")
		p.do(chromedp.Navigate(p.url))
		p.click("#login .primary")
		// The steps are played, the browser goes to the OP and comes back, and the
		// rest is played; nobody presses anything.
		// One question for all: the page that came back is whole for a moment, before
		// its script begins to play it.
		p.until(`document.querySelectorAll('.section[data-state="done"]').length === 5 && document.querySelector("#outcome").innerText.includes("Logged in as Alice Liddell")`)
	})

	if got := p.heard(); len(got) > 0 {
		t.Errorf("the browser complains: %v", got)
	}
	// That nothing was heard means something only if it would have been.
	ask[bool](p, `(document.body.setAttribute("style", "color: red"), true)`)
	for range 50 {
		if len(p.heard()) > 0 {
			return
		}
		p.do(chromedp.Sleep(20 * time.Millisecond))
	}
	t.Error("an inline style is not complained of: the policy is not in force, or nobody listens")
}

// TestKeyboard logs in, looks into a message and breaks a rule without a mouse.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	const narrow = 360 // pixels
	p := sit(t, narrow, 740)
	// tabTo presses Tab until the focus is where it should be, and fails if it
	// cannot be seen there.
	tabTo := func(css string) {
		t.Helper()
		for range 80 {
			p.press("\t")
			if ask[bool](p, `document.activeElement.matches(`+strconv.Quote(css)+`)`) {
				if ask[string](p, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
					t.Errorf("the focus on %s cannot be seen", css)
				}
				return
			}
		}
		t.Fatalf("Tab does not reach %s", css)
	}
	tabTo(".skip")
	tabTo("#login .primary")
	p.press("\r")
	p.see("#go")
	tabTo("#go")
	p.press("\r")
	p.see("button[value=allow]")
	tabTo("button[value=allow]")
	p.press("\r")
	p.see(".person")
	tabTo("#s-find .message summary")
	p.press("\r")
	p.see("#s-find .message .inside")
	p.press("\x1b")
	p.until(`!document.querySelector("#s-find details").open && document.activeElement.matches("#s-find .message summary")`)
	if w := ask[int](p, "document.documentElement.scrollWidth"); w > narrow {
		t.Errorf("the page is %d pixels wide on a screen of %d", w, narrow)
	}
	if over := ask[[]string](p, `[...document.querySelectorAll(".checks li > :not(.visually-hidden)")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.innerText)`); len(over) > 0 {
		t.Errorf("these checks run into their sections: %q", over)
	}
	p.do(chromedp.Navigate(p.url))
	tabTo("#breaker > summary")
	p.press("\r")
	tabTo(`#break button[name="fault"]`)
	p.press("\r")
	p.see("#go")
	tabTo("#go")
	p.press("\r")
	p.see(".result.caught")
}
