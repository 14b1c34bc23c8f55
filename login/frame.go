package login

import (
	"net/http"
	"net/url"

	"rely.example/oidc"
)

// sessionScript is served at Paths.SessionScript, with the paths of the Manager
// in the place of its arguments. In a page of the application it puts the session
// frame in; in the session frame it asks the OP's iframe, every few seconds,
// whether the session is still the one (Session Management 1.0 section 3.1). It
// listens to the one window and the one origin that it asked, and stops at the
// first answer that is not "unchanged" (hostile catalogue case 275).
//
// A browser that keeps third-party cookies from the OP's iframe makes it answer
// "changed" always. So a page whose first answer is "changed" is checked once; if
// the next page begins with it again, the iframe is not believed in this tab.
const sessionScript = `(function (framePath, loginPath, interval) {
  "use strict";
  var frame = document.createElement("iframe");
  frame.hidden = true;
  frame.title = "session";
  var box = document.getElementById("rely-session");
  var done = false;
  function listen(origin, act) {
    window.addEventListener("message", function (e) {
      if (done || e.source !== frame.contentWindow || e.origin !== origin) return;
      act(e.data);
    });
  }
  if (box) {
    var timer = 0;
    var ask = function () {
      frame.contentWindow.postMessage(box.dataset.message, box.dataset.origin);
    };
    var stop = function () {
      done = true;
      clearInterval(timer);
    };
    var seen = false;
    var tell = function (what) {
      window.parent.postMessage("rely:" + what, window.location.origin);
    };
    listen(box.dataset.origin, function (data) {
      if (data === "unchanged") {
        if (!seen) tell("unchanged");
        seen = true;
        return;
      }
      stop();
      if (data === "changed") tell(seen ? "changed" : "changed-at-once");
    });
    frame.addEventListener("load", function () {
      if (done || timer) return;
      ask();
      timer = setInterval(ask, interval);
    });
    frame.src = box.dataset.url;
    box.appendChild(frame);
    return;
  }
  var key = "rely:session-check";
  function checked(value) {
    try {
      var was = window.sessionStorage.getItem(key);
      window.sessionStorage.setItem(key, value);
      return was === "1";
    } catch (e) {
      return true;
    }
  }
  listen(window.location.origin, function (data) {
    if (data === "rely:unchanged") checked("");
    if (data !== "rely:changed" && data !== "rely:changed-at-once") return;
    done = true;
    if (checked("1") && data === "rely:changed-at-once") return;
    var here = window.location.pathname + window.location.search;
    var e = new CustomEvent("rely:session-changed", { cancelable: true });
    if (document.dispatchEvent(e)) {
      window.location.assign(loginPath + "?check=1&return_to=" + encodeURIComponent(here));
    }
  });
  frame.src = framePath;
  document.body.appendChild(frame);
})`

// pollInterval is how often the OP's iframe is asked, in milliseconds. It asks
// nothing of any server.
const pollInterval = "3000"

// handleSessionScript is Paths.SessionScript. A page of the application loads it
// with defer, and needs nothing else: if the session at the OP changes, the event
// rely:session-changed is sent to the document, and unless the page prevents its
// default, the browser goes through a login without a prompt: it comes back to
// the page if the OP still has the same user, or else the session is ended.
func (m *Manager) handleSessionScript(w http.ResponseWriter, _ *http.Request) {
	m.script(w, sessionScript+`("`+m.c.Paths.SessionFrame+`", "`+m.c.Paths.Login+`", `+pollInterval+`);`+"\n")
}

// handleSessionFrame is Paths.SessionFrame: the page in the iframe that the script
// above makes.
func (m *Manager) handleSessionFrame(w http.ResponseWriter, r *http.Request) {
	m.private(w)
	s, err := m.Session(r)
	if err != nil {
		m.bare(w, Status(err), "There is no session to watch", m.origin)
		return
	}
	c, err := m.client(r.Context(), s.Issuer)
	if err != nil {
		m.bare(w, Status(err), "There is no session to watch", m.origin)
		return
	}
	f, ok := c.SessionFrame(&oidc.Tokens{SessionState: s.d.SessionState})
	if !ok {
		m.bare(w, http.StatusOK, "This provider does not tell when a session changes", m.origin)
		return
	}
	m.watch(w, f)
}

// fragmentScript is of the page that catches an answer in the fragment of the
// URL, which reaches no server by itself: it takes it out of the address bar and
// posts it (Multiple Response Types section 2.1).
const fragmentScript = `(function () {
  "use strict";
  var raw = window.location.hash.slice(1);
  window.history.replaceState(null, "", window.location.pathname);
  var form = document.getElementById("rely-fragment");
  if (!raw) {
    document.getElementById("rely-nothing").hidden = false;
    return;
  }
  form.elements.namedItem("fragment").value = raw;
  form.submit();
})();
`

func (m *Manager) handleFragmentScript(w http.ResponseWriter, _ *http.Request) {
	m.script(w, fragmentScript)
}

// originOf is the origin of an absolute URL that was checked already.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "'none'"
	}
	return u.Scheme + "://" + u.Host
}
