// The page has no token: its back end does. A 401 means that nobody is logged in.
async function api(path, options) {
  const r = await fetch(path, options);
  if (r.status === 401) location.href = "/auth/login?return_to=/";
  if (!r.ok) throw new Error(r.status + " " + await r.text());
  return r.json();
}

function show(notes) {
  document.getElementById("notes").replaceChildren(...notes.map(n => {
    const li = document.createElement("li");
    li.textContent = n;
    return li;
  }));
}

document.getElementById("add").addEventListener("submit", async e => {
  e.preventDefault();
  const text = new FormData(e.target).get("text");
  show(await api("/api/notes", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({text})}));
  e.target.reset();
});

api("/api/me").then(me => { document.getElementById("who").textContent = "You are " + me.name; });
api("/api/notes").then(show);
