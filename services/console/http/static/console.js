// The live part of a page: it fetches itself anew when balances move. No number is computed here.

const root = document.documentElement;
const stored = localStorage.getItem("theme");
if (stored) root.dataset.theme = stored;

const isPast = new URLSearchParams(location.search).has("as_of") && new URLSearchParams(location.search).get("as_of") !== "";
const QUIET_MS = 60_000, PLANNED_WITHIN = 20;
let lastEvent = Date.now() - 1000 * (document.getElementById("live")?.dataset.quietS ?? 0);
let newest = 0, open = false, fetching = false, again = false, behind = 0;

// ---------------------------------------------------------------- how fresh the page is

function ago(ms) {
  for (const [unit, name] of [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"]]) if (ms >= unit) return `${Math.floor(ms / unit)} ${name} ago`;
  return "just now";
}

function showFreshness() {
  const live = document.getElementById("live");
  if (!live || isPast) return;
  const quiet = Date.now() - lastEvent;
  const text = !open ? `no connection, tries again; last event ${ago(quiet)}` : quiet > QUIET_MS ? `live, last event ${ago(quiet)}` : "live";
  if (live.textContent !== text) live.textContent = text;
  live.className = open ? "on" : "off";
}

// ---------------------------------------------------------------- changed parts replace the old ones

function flash(cell) {
  cell.classList.remove("changed");
  requestAnimationFrame(() => cell.classList.add("changed"));
}

// Rows and parts are matched by their name, so that one that comes or goes changes no other.
function nameOf(node) {
  return node.id || node.dataset?.key || null;
}

function renew(was, is) {
  if (was.isEqualNode(is)) return;
  if (was.nodeType !== is.nodeType || was.nodeName !== is.nodeName || was.nodeName === "svg") {
    was.replaceWith(document.importNode(is, true));
    return;
  }
  if (was.nodeType === Node.TEXT_NODE) {
    was.data = is.data;
    if (was.parentElement.matches("td, th, p, dd, a, strong, span")) flash(was.parentElement);
    return;
  }
  for (const { name, value } of is.attributes ?? []) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
  for (const { name } of [...was.attributes ?? []]) if (!is.hasAttribute(name) && name !== "open") was.removeAttribute(name);
  const named = new Map([...was.children ?? []].filter(nameOf).map(child => [nameOf(child), child]));
  let at = was.firstChild;
  for (const node of is.childNodes) {
    const mine = nameOf(node) ? named.get(nameOf(node)) : at && !nameOf(at) ? at : null;
    if (mine === at && at) { at = at.nextSibling; renew(mine, node); }
    else if (mine) { was.insertBefore(mine, at); renew(mine, node); }
    else was.insertBefore(document.importNode(node, true), at);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

function shown() {
  return Number(document.getElementById("standing")?.dataset.position ?? 0);
}

async function fetchAnew() {
  if (fetching) { again = true; return; }
  fetching = true;
  const began = performance.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) { location.reload(); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const put = performance.now();
    renew(document.getElementById("main"), page.getElementById("main"));
    const standing = document.getElementById("standing"), next = page.getElementById("standing");
    if (standing && next) { next.querySelector("#live").replaceWith(standing.querySelector("#live").cloneNode(true)); renew(standing, next); }
    requestAnimationFrame(() => requestAnimationFrame(() => { // painted by then
      root.dataset.putMs = String(Math.round(performance.now() - put));
      root.dataset.renewed = String(Date.now());
    }));
  } catch { open = false; }
  showFreshness();
  behind = shown() < newest ? behind + 1 : 0; // the plan follows behind the balances
  const wanted = again || (behind > 0 && behind < PLANNED_WITHIN);
  again = false;
  // a busy aggregator gets fewer queries
  setTimeout(() => { fetching = false; if (wanted || again) { again = false; fetchAnew(); } }, wanted ? Math.max(100, 2 * (performance.now() - began)) : 0);
  awaitLate();
}

// A part that is still computed is asked for until it is there, ever more seldom: a busy aggregator gets fewer queries.
let late = 1_000;
function awaitLate() {
  if (!document.querySelector("[data-late]") || document.hidden) { late = 1_000; return; }
  setTimeout(() => Date.now() - lastEvent > 3_000 ? fetchAnew() : awaitLate(), late);
  late = Math.min(30_000, 2 * late);
}
awaitLate();

// ---------------------------------------------------------------- the feed of moves

let events = null;

function listen() {
  if (events || document.hidden || isPast || !document.getElementById("live")) return;
  events = new EventSource("/live");
  events.onerror = () => { open = false; showFreshness(); };
  events.addEventListener("standing", event => {
    newest = Number(event.data);
    const wasLost = root.dataset.lost;
    open = true;
    delete root.dataset.lost;
    showFreshness();
    if (wasLost || shown() !== newest) fetchAnew();
  });
  events.addEventListener("moved", event => { lastEvent = Date.now(); newest = Number(event.data); fetchAnew(); });
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { listen(); return; }
  events?.close(); // a hidden page makes no requests
  events = null;
});
listen();
setInterval(() => { if (!open) root.dataset.lost = "1"; showFreshness(); retry(); }, 5_000);

// A page without an answer tries again until it has one.
async function retry() {
  if (document.hidden || !document.querySelector("[data-retry]")) return;
  try { if ((await fetch(location.href, { headers: { Accept: "text/html" } })).ok) location.reload(); } catch { /* the console does not answer either */ }
}

// ---------------------------------------------------------------- loading: the aggregator folds a past state before it answers

let waiting = 0;
addEventListener("submit", () => leave());
addEventListener("click", event => {
  const to = event.target.closest?.("a[href]");
  if (to && !event.defaultPrevented && !to.hasAttribute("download") && !event.ctrlKey && !event.metaKey && !event.shiftKey && new URL(to.href).pathname + new URL(to.href).search !== location.pathname + location.search) leave();
});
function leave() { waiting = setTimeout(() => { root.dataset.loading = ""; document.getElementById("main").setAttribute("aria-busy", "true"); }, 200); }
addEventListener("pageshow", () => { clearTimeout(waiting); delete root.dataset.loading; document.getElementById("main")?.removeAttribute("aria-busy"); });

// ---------------------------------------------------------------- keys

function turn() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem("theme", root.dataset.theme = dark ? "light" : "dark");
}
const theme = document.getElementById("theme");
if (theme) { theme.hidden = false; theme.addEventListener("click", turn); }
const paper = document.getElementById("print");
if (paper) { paper.hidden = false; paper.addEventListener("click", () => window.print()); }

function step(by) {
  const links = [...document.querySelectorAll("main tbody tr, main .alerts li")].map(row => row.querySelector("a[href]")).filter(Boolean);
  const at = links.findIndex(link => link.closest("tr, li") === document.activeElement.closest?.("tr, li"));
  links[Math.max(0, Math.min(links.length - 1, at + by))]?.focus();
}

const PAGES = { p: "/", i: "/sites", s: "/suppliers", h: "/shortages", l: "/log" };
const KEYS = {
  j: () => step(1), k: () => step(-1), d: turn,
  "[": () => document.getElementById("earlier")?.click(),
  "]": () => document.getElementById("later")?.click(),
  n: () => document.getElementById("now")?.click(),
  "/": () => document.getElementById("search")?.focus(),
  f: () => document.querySelector(".filters select, .filters input")?.focus(),
  c: () => document.getElementById("calendar")?.click(),
};
let going = false;
addEventListener("keydown", event => {
  if (event.key === "Escape") document.activeElement.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.nodeName)) return;
  if (going && PAGES[event.key]) document.querySelector(`nav a[data-page="${PAGES[event.key]}"]`)?.click();
  else if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
  going = event.key === "g" && !going;
});
