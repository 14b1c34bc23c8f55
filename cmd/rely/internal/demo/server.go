package demo

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rely.example/oidc"
	"rely.example/oidctest"
)

//go:embed assets
var assets embed.FS

const (
	callbackPath = "/callback"
	fragmentPath = "/callback/fragment"

	maxForm       = 8 << 10 // bytes of a form of the page's own
	maxIdentifier = 320
	relayed       = "rely_relayed" // marks a form that was posted again
)

// server is the relying party's page.
type server struct {
	to       *target
	host     string // 127.0.0.1:port
	mux      *http.ServeMux
	origin   *http.CrossOriginProtection
	pages    *template.Template
	sessions *sessions
	lease    *lease
}

func newServer(to *target, host string) (*server, error) {
	s := &server{
		to: to, host: host, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(),
		sessions: &sessions{now: to.now, byID: make(map[string]*session)},
		lease:    &lease{dev: to.dev, now: to.now},
	}
	if to.dev == nil {
		s.sessions.shared = &registrations{}
	}
	var err error
	if s.pages, err = template.New("").ParseFS(assets, "assets/*.html"); err != nil {
		return nil, fmt.Errorf("the page's templates: %w", err)
	}
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("GET /assets/{name}", s.asset)
	s.mux.HandleFunc("POST /login", s.startLogin)
	s.mux.HandleFunc("POST /userinfo", s.act((*login).askUserInfo))
	s.mux.HandleFunc("POST /refresh", s.act((*login).refresh))
	s.mux.HandleFunc("POST /logout", s.act((*login).revoke))
	s.mux.HandleFunc("POST /forget", s.forget)
	s.mux.HandleFunc("POST /reveal", s.reveal)
	s.mux.HandleFunc("GET "+callbackPath, s.callback)
	s.mux.HandleFunc("POST "+callbackPath, s.callback)
	s.mux.HandleFunc("POST "+fragmentPath, s.fragment)
	// An OP posts its answer from its own origin (Form Post Response Mode);
	// state and the browser's cookie protect that path.
	s.origin.AddInsecureBypassPattern("POST " + callbackPath)
	return s, nil
}

// close ends what the sessions hold open.
func (s *server) close() { s.sessions.close() }

// ServeHTTP lets in requests for the page's own name alone (DNS rebinding), and
// none that another site's page sent, except the answer of an OP.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	_, port, _ := strings.Cut(s.host, ":")
	switch {
	case r.Host == s.host:
	case r.Host == "localhost:"+port && r.Method == http.MethodGet && r.URL.Path == "/":
		// Cookies and the redirect URI belong to one name.
		http.Redirect(w, r, "http://"+s.host+"/", http.StatusFound)
		return
	default:
		http.Error(w, "This page answers at http://"+s.host+"/ alone.", http.StatusMisdirectedRequest)
		return
	}
	if err := s.origin.Check(r); err != nil {
		http.Error(w, "This request was sent by the page of another site, and was refused.", http.StatusForbidden)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *server) asset(w http.ResponseWriter, r *http.Request) {
	types := map[string]string{"app.js": "text/javascript; charset=utf-8", "callback.js": "text/javascript; charset=utf-8",
		"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
	name := r.PathValue("name")
	b, err := assets.ReadFile("assets/" + name)
	if types[name] == "" || err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", types[name])
	_, _ = w.Write(b) // the browser went away: nothing to tell anybody
}

// defaultChoice is what the form holds at first.
func (s *server) defaultChoice() choice {
	c := choice{ResponseType: "code"}
	if s.to.dev != nil {
		c.Identifier = identifierAt(s.to.dev, "alice")
	}
	return c
}

func (s *server) page(w http.ResponseWriter, r *http.Request) {
	sess := s.sessions.begin(w, r, s.defaultChoice())
	if sess.lock(r.Context()) != nil {
		return
	}
	defer sess.unlock()
	v := s.view(sess)
	sess.flash = ""
	s.render(w, http.StatusOK, "page", v)
}

// startLogin performs the first four steps. A script reads along as they happen;
// without one the browser gets the page again, with a link to go on by.
func (s *server) startLogin(w http.ResponseWriter, r *http.Request) {
	sess, out, ok := s.enter(w, r)
	if !ok {
		return
	}
	defer sess.unlock()
	c, err := s.readChoice(r.PostForm)
	if err == nil {
		sess.choice = c
		sess.choice.Fault = nil
		err = s.lease.arm(sess, c.Fault)
	}
	if err != nil {
		out.refuse(plain(err))
		return
	}
	l := newLogin(s.to, sess.kept, c, nil)
	sess.replace(l)
	out.begin(true)
	l.rec.listen(out.change)
	if _, err := l.start(r.Context()); err != nil {
		s.lease.disarm(sess) // the outcome tells of err
	}
	out.end()
}

// readChoice checks what the form says.
func (s *server) readChoice(f url.Values) (choice, error) {
	mode := f.Get("response_mode")
	rt := f.Get("response_type")
	if rt == "" {
		rt = "code"
	}
	var fault *oidctest.FaultInfo
	if name := f.Get("fault"); name != "" && s.to.dev != nil {
		info, ok := faultByName(name)
		if !ok {
			return choice{}, fmt.Errorf("the OP has no fault of the name %q", name)
		}
		fault = &info
		if info.ResponseType != "" {
			rt, mode = info.ResponseType, ""
		} else {
			// Each fault shows in the code flow, whatever the form says.
			rt, mode = "code", ""
		}
	}
	c, err := choiceOf(rt, mode)
	if err != nil {
		return choice{}, err
	}
	c.Fault = fault
	c.AskAgain = f.Get("prompt") == "login"
	// Each fault shows in a plain login.
	c.Push, c.Bind = f.Get("push") != "" && fault == nil, f.Get("bind") != "" && fault == nil
	c.Identifier = strings.TrimSpace(f.Get("identifier"))
	if pick := f.Get("pick"); pick != "" {
		c.Identifier = pick
	}
	if len(c.Identifier) > maxIdentifier || !utf8.ValidString(c.Identifier) {
		return choice{}, fmt.Errorf("an identifier has at most %d characters", maxIdentifier)
	}
	if c.Identifier == "" && s.to.issuer == "" {
		return choice{}, errors.New("type an identifier first, such as " + s.defaultChoice().Identifier)
	}
	return c, nil
}

// act is a handler for what may follow a login.
func (s *server) act(do func(*login, context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sess, out, ok := s.enter(w, r)
		if !ok {
			return
		}
		defer sess.unlock()
		if sess.login == nil || sess.login.tokens == nil {
			out.refuse(errNotLoggedIn.Error())
			return
		}
		if err := s.lease.free(sess); err != nil {
			out.refuse(err.Error())
			return
		}
		sess.login.choice.Fault = nil // it has had its login
		out.begin(false)
		sess.login.rec.listen(out.change)
		_ = do(sess.login, r.Context()) // the outcome tells
		out.end()
	}
}

// forget ends the session's login and its registration, for a start from scratch.
func (s *server) forget(w http.ResponseWriter, r *http.Request) {
	sess, _, ok := s.enter(w, r)
	if !ok {
		return
	}
	defer sess.unlock()
	s.lease.disarm(sess)
	sess.replace(nil)
	sess.kept = &registrations{}
	sess.choice = s.defaultChoice()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// reveal shows one message with its secrets.
func (s *server) reveal(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	sess := s.sessions.find(r)
	seq, err := strconv.Atoi(r.PostFormValue("message"))
	if sess == nil || err != nil {
		http.Error(w, "There is no such message in this browser's login.", http.StatusNotFound)
		return
	}
	if sess.lock(r.Context()) != nil {
		return
	}
	defer sess.unlock()
	var m message
	found := false
	if sess.login != nil {
		m, found = sess.login.rec.find(seq)
	}
	if !found {
		http.Error(w, "There is no such message in this browser's login.", http.StatusNotFound)
		return
	}
	on := r.PostFormValue("hide") == ""
	if live(r) {
		s.render(w, http.StatusOK, "sides", viewMessage(m, sess.login.rec.started, on))
		return
	}
	if sess.revealed == nil {
		sess.revealed = make(map[int]bool)
	}
	sess.revealed[seq] = on
	http.Redirect(w, r, "/#m"+strconv.Itoa(seq), http.StatusSeeOther)
}

// callback takes the answer that the browser brings.
func (s *server) callback(w http.ResponseWriter, r *http.Request) {
	sess := s.sessions.find(r)
	if r.Method == http.MethodGet && r.URL.RawQuery == "" {
		// The answer, if there is one, is behind the #, where only a script sees it.
		s.render(w, http.StatusOK, "fragment", nil)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, oidc.MaxAuthResponse+maxForm))
	if err != nil {
		s.problem(w, http.StatusRequestEntityTooLarge, "The answer is longer than any answer of an OP may be.")
		return
	}
	form, _ := url.ParseQuery(string(body)) // what cannot be read is refused below
	if sess == nil && r.Method == http.MethodPost && !form.Has(relayed) {
		// The browser withholds our cookie from a form that another site's page
		// sends (SameSite=Lax). The same form, sent once more by our own page,
		// brings it.
		form.Set(relayed, "1")
		s.render(w, http.StatusOK, "relay", relayView{Action: template.URL(r.URL.RequestURI()), Fields: values(form)})
		return
	}
	if sess == nil {
		s.problem(w, http.StatusForbidden, "An answer came to a browser that began no login here. Begin one on the page.")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	a := answer{mode: oidc.ModeQuery, params: r.URL.Query()}
	if r.Method == http.MethodPost {
		a.mode, a.params = oidc.ModeFormPost, form
	}
	a.params.Del(relayed)
	a.response, a.err = oidc.ReadAuthResponse(r)
	s.answer(r, sess, a)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// fragment takes an answer that a script found behind the #.
func (s *server) fragment(w http.ResponseWriter, r *http.Request) {
	sess := s.sessions.find(r)
	if sess == nil {
		http.Error(w, "An answer came to a browser that began no login here.", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, oidc.MaxAuthResponse+maxForm))
	if err != nil {
		http.Error(w, "The answer is longer than any answer of an OP may be.", http.StatusRequestEntityTooLarge)
		return
	}
	a := answer{mode: oidc.ModeFragment}
	a.params, _ = url.ParseQuery(strings.TrimPrefix(string(body), "#")) // to be shown, if it is refused
	a.response, a.err = oidc.ReadAuthFragment(string(body))
	s.answer(r, sess, a)
	w.WriteHeader(http.StatusNoContent)
}

// answer finishes the login that waits for it. What becomes of it is on the page
// afterwards.
func (s *server) answer(r *http.Request, sess *session, a answer) {
	if sess.lock(r.Context()) != nil {
		return
	}
	defer sess.unlock()
	switch {
	case sess.login == nil || !sess.login.waiting():
		sess.flash = errNoLogin.Error()
		return
	case s.lease.free(sess) != nil:
		sess.flash = errLeased.Error()
		return
	}
	_ = sess.login.finish(r.Context(), a) // the outcome tells
	s.lease.disarm(sess)
}

// enter reads a form of the page and takes the session's turn. If it reports
// false, the answer is written.
func (s *server) enter(w http.ResponseWriter, r *http.Request) (*session, *stream, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.problem(w, http.StatusBadRequest, "The form could not be read.")
		return nil, nil, false
	}
	sess := s.sessions.begin(w, r, s.defaultChoice())
	if !sess.tryLock() {
		s.problem(w, http.StatusConflict, "Something is still under way in this browser. Wait until it has ended.")
		return nil, nil, false
	}
	return sess, &stream{s: s, w: w, r: r, sess: sess, live: live(r)}, true
}

// live reports whether a script reads along.
func live(r *http.Request) bool {
	return slices.Contains(r.Header.Values("Accept"), streamType)
}

// render writes a page or a part of one.
func (s *server) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "The page could not be written.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser went away: nothing to tell anybody
}

// problem is a page that says why nothing happened.
func (s *server) problem(w http.ResponseWriter, status int, text string) {
	s.render(w, status, "problem", text)
}
