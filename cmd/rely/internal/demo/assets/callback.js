// The page at the redirect URI. It hands over what only a script sees, the
// answer behind the #, or sends on a form that came without our cookie.
"use strict";

const relay = document.getElementById("relay");
const say = document.getElementById("say");

if (relay) {
  relay.submit();
} else if (location.hash.length > 1) {
  const answer = location.hash;
  // The answer holds tokens: it must not stay in the address or the history.
  history.replaceState(null, "", location.pathname);
  fetch("/callback/fragment", {
    method: "POST",
    headers: { "Content-Type": "text/plain" },
    body: answer,
  }).then(async (res) => {
    if (!res.ok) throw new Error(await res.text());
    location.replace("/");
  }).catch((err) => {
    say.textContent = "The answer could not be handed over: " + err.message;
  });
} else {
  say.textContent = "There is no answer here. Log in from the page.";
}
