// The calendar over the page that it was opened from, and its keys. Without a script it is a page of its own.

const DAY_MS = 86_400_000;
let dialog = null;

const isPlain = event => !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

async function open(address, day) {
  let answer;
  try { answer = await fetch(address, { headers: { Accept: "text/html" } }); } catch { location.href = address; return; }
  const picker = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("picker");
  if (!answer.ok || answer.redirected && new URL(answer.url).pathname !== "/calendar" || !picker) { location.href = address; return; }
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "picked");
    dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); }); // beside it
    document.body.append(dialog);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(close, document.importNode(picker, true));
  if (!dialog.open) {
    document.getElementById("calendar")?.focus(); // it has the focus again when the dialog closes
    dialog.showModal();
  }
  focusDay(day);
}

// The day given, else that chosen, else the last one of the month that can be chosen.
function focusDay(day) {
  const days = [...document.querySelectorAll("#picker td:not(.beside) a.day")];
  (days.find(each => each.dataset.day === day) ?? days.find(each => each.hasAttribute("aria-current")) ?? days.at(-1))?.focus();
}

function turn(link, day) {
  if (!link) return;
  if (link.closest("dialog")) open(link.href, day); else { sessionStorage.setItem("day", day); link.click(); }
}

document.addEventListener("click", event => {
  const link = event.target.closest?.("a[href]");
  if (!link || !isPlain(event) || event.button) return;
  if (link.id === "calendar" || (link.closest("dialog") && new URL(link.href).pathname === "/calendar")) {
    event.preventDefault();
    open(link.href);
  }
});

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
document.addEventListener("keydown", event => {
  const at = event.target.closest?.("#picker a.day");
  if (!isPlain(event)) return;
  if (event.key === "PageUp" || event.key === "PageDown") {
    if (!event.target.closest?.("#picker")) return;
    event.preventDefault();
    turn(document.getElementById(event.key === "PageUp" ? "month-before" : "month-after"), "");
  } else if (at && STEPS[event.key]) {
    event.preventDefault();
    const day = new Date(Date.parse(at.dataset.day) + STEPS[event.key] * DAY_MS).toISOString().slice(0, 10);
    const there = [...document.querySelectorAll("#picker a.day")].find(each => each.dataset.day === day);
    if (there && !there.closest(".beside")) there.focus();
    else turn(document.getElementById(STEPS[event.key] < 0 ? "month-before" : "month-after"), day);
  }
});

if (location.pathname === "/calendar") {
  focusDay(sessionStorage.getItem("day"));
  sessionStorage.removeItem("day");
}
