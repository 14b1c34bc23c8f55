// The page works without this script: forms answer with the page itself. With
// it, messages appear as they are sent, one after the other, at a pace at which
// they can be followed.
"use strict";

const pace = { section: 160, message: 420, check: 55, turn: 1600 };
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

const outcome = document.getElementById("outcome");
const sequence = document.getElementById("sequence");

// ---- Playing: a queue of small steps, each shown before the next.

const queue = [];
let playing = false;
let hurry = still;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function play(ms, show) {
  queue.push([ms, show]);
  if (!playing) run();
}

async function run() {
  playing = true;
  document.body.classList.add("playing");
  while (queue.length > 0) {
    const [ms, show] = queue.shift();
    try {
      show();
    } catch (err) {
      console.warn(err); // the page was changed in another tab: a reload shows all
    }
    if (!hurry && ms > 0) await sleep(ms);
  }
  playing = false;
  document.body.classList.remove("playing");
}

// say tells a screen reader; the page itself shows it already.
function say(text) {
  document.getElementById("status").textContent = text;
}

const skip = document.createElement("button");
skip.type = "button";
skip.className = "hurry";
skip.textContent = "Show all at once";
skip.addEventListener("click", () => { hurry = true; });
document.body.append(skip);

function section(id) {
  return document.getElementById("s-" + id);
}

function follow(el) {
  if (still || document.body.classList.contains("reading")) return;
  const box = el.getBoundingClientRect();
  if (box.bottom > innerHeight - 60 || box.top < 80) el.scrollIntoView({ block: "center", behavior: "smooth" });
}

function show(el) {
  if (document.body.classList.contains("reading")) return;
  const top = el.getBoundingClientRect().top;
  if (top < 0 || top > innerHeight / 2) scrollBy({ top: top - 20, behavior: still ? "auto" : "smooth" });
}

function addSection(id) {
  let s = section(id);
  if (s) return s;
  s = document.createElement("li");
  s.className = "section";
  s.id = "s-" + id;
  s.dataset.step = id;
  s.innerHTML = '<div class="head"></div><ol class="messages"></ol><ul class="checks loose"></ul>';
  sequence.querySelector(".sections").append(s);
  return s;
}

function setOutcome(html) {
  outcome.innerHTML = html;
  const headline = outcome.querySelector(".result h2")?.textContent;
  if (headline) {
    say(headline);
    document.title = headline + " · Rely, a login message by message";
  }
  outcome.classList.remove("arrive");
  void outcome.offsetWidth; // restarts the animation
  outcome.classList.add("arrive");
}

// What comes from the server is HTML that it escaped.
const apply = {
  reset(e) {
    play(0, () => {
      sequence.innerHTML = e.html;
      outcome.innerHTML = "";
      document.body.classList.remove("reading");
    });
  },
  section(e) {
    play(e.state === "running" ? pace.section : 0, () => {
      const s = addSection(e.id);
      s.dataset.state = e.state;
      s.querySelector(".head").innerHTML = e.html;
      if (e.state === "running") {
        say(s.querySelector("h3").textContent);
        follow(s);
      }
    });
  },
  message(e) {
    play(pace.message, () => {
      const list = addSection(e.id).querySelector(".messages");
      list.insertAdjacentHTML("beforeend", e.html);
      list.lastElementChild.classList.add("enter");
      follow(list.lastElementChild);
    });
  },
  check(e) {
    play(pace.check, () => {
      const at = e.seq ? document.getElementById("m" + e.seq) : section(e.id);
      const list = e.seq ? at.querySelector(".checks") : at.querySelector(".loose");
      list.insertAdjacentHTML("beforeend", e.html);
      follow(list.lastElementChild);
    });
  },
  outcome(e) {
    play(0, () => {
      setOutcome(e.html);
      mark(e.run);
      show(outcome);
    });
  },
  go(e) {
    play(0, () => turn(e.url));
  },
  refused(e) {
    play(0, () => {
      const p = document.createElement("p");
      p.className = "flash";
      p.textContent = e.text;
      outcome.querySelector(".flash")?.remove();
      outcome.prepend(p);
    });
  },
};

// ---- The browser's turn: it goes to the OP by itself, unless somebody reads a
// message, uses the keyboard to look around, or asked for less motion.

let leaving = 0;

function turn(url) {
  const box = document.getElementById("turn");
  const link = document.getElementById("go");
  if (!box || !link || still || document.body.classList.contains("reading")) return;
  const stay = document.createElement("button");
  stay.type = "button";
  stay.id = "stay";
  stay.textContent = "Stay and look";
  stay.addEventListener("click", () => {
    remain();
    link.focus();
  });
  link.addEventListener("click", remain); // it goes now, and once
  box.querySelector(".buttons").append(stay);
  box.classList.add("counting");
  leaving = setTimeout(() => location.assign(url), pace.turn);
}

function remain() {
  clearTimeout(leaving);
  leaving = 0;
  document.getElementById("turn")?.classList.remove("counting");
  document.getElementById("stay")?.remove();
}

// ---- Forms: the same forms, read along line by line.

async function send(form, submitter) {
  const data = new URLSearchParams(new FormData(form, submitter));
  busy(true);
  hurry = still;
  try {
    const res = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/x-ndjson" } });
    if (!res.ok || !res.headers.get("Content-Type").startsWith("application/x-ndjson")) {
      throw new Error("the relying party answered " + res.status);
    }
    const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const e = JSON.parse(line);
        apply[e.type]?.(e);
      }
    }
  } catch (err) {
    apply.refused({ text: "That did not work: " + err.message + ". Is the program still running?" });
  }
  play(0, () => busy(false));
}

function busy(on) {
  for (const f of document.querySelectorAll("form[data-live]")) f.classList.toggle("busy", on);
  document.getElementById("main").setAttribute("aria-busy", String(on));
}

document.addEventListener("submit", (ev) => {
  const form = ev.target;
  if (form.classList.contains("reveal")) {
    ev.preventDefault();
    reveal(form);
    return;
  }
  if (!("live" in form.dataset)) return;
  ev.preventDefault();
  if (form.classList.contains("busy")) return;
  if (form.id === "break") {
    form.elements.identifier.value = document.getElementById("identifier").value;
  }
  if (ev.submitter?.name === "pick") document.getElementById("identifier").value = ev.submitter.value;
  send(form, ev.submitter);
});

async function reveal(form) {
  const inside = form.closest(".inside");
  const res = await fetch(form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: { Accept: "application/x-ndjson" },
  });
  if (!res.ok) return;
  inside.innerHTML = await res.text();
  inside.querySelector(".reveal button")?.focus();
}

// ---- Reading: an open message stops what would take the reader away.

document.addEventListener("toggle", (ev) => {
  if (ev.target.open && ev.target.closest(".message")) {
    document.body.classList.add("reading");
    remain();
  }
}, true);

document.addEventListener("keydown", (ev) => {
  if (ev.key === "Tab" || ev.key === "Escape") remain();
  if (ev.key !== "Escape") return;
  const open = document.activeElement?.closest?.("details[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
    ev.preventDefault();
    return;
  }
  hurry = true;
});

// ---- Coming back from the OP: what happened meanwhile is on the page already,
// and is played from where the browser left.

function mark(run) {
  try {
    sessionStorage.setItem("shown", run + ":" + sequence.querySelectorAll(".message").length);
  } catch { /* a browser without storage plays a login again when it is reloaded */ }
}

function marked(run) {
  try {
    return sessionStorage.getItem("shown") === run + ":" + sequence.querySelectorAll(".message").length;
  } catch {
    return true;
  }
}

function replay() {
  const run = document.body.dataset.run;
  const all = [...sequence.querySelectorAll(".message")];
  // The messages up to the redirect were played before it.
  const from = sequence.querySelector("#s-begin .message:last-of-type")?.dataset.seq || 0;
  const fresh = all.filter((m) => Number(m.dataset.seq) > Number(from));
  if (still || marked(run) || fresh.length === 0 || sequence.querySelector(".message details[open]")) return;
  mark(run);
  const held = outcome.innerHTML;
  outcome.innerHTML = "";
  for (const s of new Set(fresh.map((m) => m.closest(".section")))) {
    s.dataset.end = s.dataset.state;
    s.dataset.state = "waiting";
    const loose = [...s.querySelectorAll(".loose li")];
    for (const el of loose) el.hidden = true;
  }
  for (const m of fresh) {
    m.hidden = true;
    for (const c of m.querySelectorAll(".checks li")) c.hidden = true;
    m.querySelector(".checks").hidden = true;
  }
  for (const m of fresh) {
    const s = m.closest(".section");
    play(pace.message, () => {
      s.dataset.state = "running";
      m.hidden = false;
      m.classList.add("enter");
      follow(m);
    });
    for (const c of m.querySelectorAll(".checks li")) {
      play(pace.check, () => {
        c.hidden = false;
        c.parentElement.hidden = false;
        follow(c);
      });
    }
    play(0, () => {
      const left = [...s.querySelectorAll(".message")].some((x) => x.hidden);
      if (left) return;
      for (const el of s.querySelectorAll(".loose li")) el.hidden = false;
      s.dataset.state = s.dataset.end;
    });
  }
  play(0, () => {
    setOutcome(held);
    show(outcome);
  });
}

// ---- The menu of faults.

// On a narrow page the menu would stand between a login and what came of it.
const breaker = document.getElementById("breaker");
if (breaker) breaker.open = matchMedia("(min-width: 64rem)").matches;

const filter = document.getElementById("filter");
const found = document.getElementById("found");
const surprise = document.getElementById("surprise");

filter?.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let n = 0;
  for (const group of document.querySelectorAll("#all-faults .group")) {
    let any = false;
    const name = group.querySelector("summary").textContent.toLowerCase();
    for (const li of group.querySelectorAll("li")) {
      const text = name + " " + li.textContent.toLowerCase();
      li.hidden = !words.every((w) => text.includes(w));
      if (!li.hidden) { any = true; n++; }
    }
    group.hidden = !any;
    group.open = words.length > 0 && any;
  }
  found.textContent = words.length > 0 ? n + (n === 1 ? " rule" : " rules") : "";
});
filter?.addEventListener("keydown", (ev) => {
  if (ev.key === "Enter") ev.preventDefault(); // it would break the first rule of all
});

if (surprise) {
  surprise.hidden = false;
  surprise.addEventListener("click", () => {
    const all = [...document.querySelectorAll("#all-faults .group button")];
    const pick = all[Math.floor(Math.random() * all.length)];
    pick.form.requestSubmit(pick);
  });
}

// ---- The modes that go with a response type.

const type = document.getElementById("response_type");
const mode = document.getElementById("response_mode");

function modes() {
  const query = mode.querySelector('option[value="query"]');
  query.disabled = type.value !== "code";
  if (query.disabled && mode.value === "query") mode.value = "";
}
if (type && mode) {
  type.addEventListener("change", modes);
  modes();
}

replay();
