// What a page does beyond being read: it is told when balances move, and fetches itself anew. Nothing here works out a number.

const root = document.documentElement;
const stored = localStorage.getItem("theme");
if (stored) root.dataset.theme = stored;

const STALE_AFTER_MS = 60_000;
let heard = Date.now(), open = false, fetching = false, again = false;

function say() {
  const live = document.getElementById("live");
  if (!live) return;
  const minutes = Math.floor((Date.now() - heard) / 60_000);
  const text = new URLSearchParams(location.search).get("as_of") ? "of the past, stands still"
    : !open ? "no connection, tries again" : minutes >= 1 ? `nothing moved for ${minutes} min` : "live";
  if (live.textContent !== text) live.textContent = text;
  live.className = open ? "on" : "off";
}

// Put what is new in the place of what was there, piece by piece, so that what one reads, or has opened, stays.
function renew(was, is) {
  if (was.isEqualNode(is)) return;
  if (was.nodeType !== is.nodeType || was.nodeName !== is.nodeName || was.nodeName === "svg") {
    was.replaceWith(document.importNode(is, true));
    return;
  }
  if (was.nodeType === Node.TEXT_NODE) {
    was.data = is.data;
    const cell = was.parentElement;
    cell.classList.remove("changed");
    requestAnimationFrame(() => cell.classList.add("changed"));
    return;
  }
  for (const { name, value } of is.attributes ?? []) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
  const before = [...was.childNodes], after = [...is.childNodes];
  after.forEach((node, n) => before[n] ? renew(before[n], node) : was.append(document.importNode(node, true)));
  before.slice(after.length).forEach(node => node.remove());
}

async function fetchAnew() {
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    renew(document.getElementById("main"), page.getElementById("main"));
    const standing = document.getElementById("standing"), next = page.getElementById("standing");
    if (standing && next) { next.querySelector("#live").replaceWith(standing.querySelector("#live").cloneNode(true)); renew(standing, next); }
    root.dataset.renewed = String(Date.now());
  } catch { open = false; }
  fetching = false;
  say();
  if (again) { again = false; fetchAnew(); }
}

if (document.getElementById("live") && !new URLSearchParams(location.search).get("as_of")) {
  const events = new EventSource("/live");
  events.onopen = () => { if (!open) { open = true; say(); if (root.dataset.lost) fetchAnew(); } };
  events.onerror = () => { open = false; root.dataset.lost = "1"; say(); };
  events.addEventListener("moved", () => { heard = Date.now(); fetchAnew(); });
}
setInterval(say, 5_000);
say();

const PAGES = { p: "/", i: "/sites", s: "/suppliers", h: "/shortages", l: "/log" };
let going = false;
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.nodeName)) return;
  if (going && PAGES[event.key]) document.querySelector(`nav a[href^="${PAGES[event.key]}"]`)?.click();
  going = event.key === "g";
  if (event.key === "/") { event.preventDefault(); document.querySelector(".filters select, .filters input")?.focus(); }
  if (event.key === "d") {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    localStorage.setItem("theme", root.dataset.theme = dark ? "light" : "dark");
  }
});
