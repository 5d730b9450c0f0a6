// Adds to pages that are whole without it: search and choosing, remembered in the URL, and copying.
"use strict";

const page = document.documentElement;
const form = document.getElementById("choose");
const count = document.getElementById("count");

// A page drawn without a public URL learns from its own address what to print in the lines.
if (page.dataset.here) {
  const root = new URL(page.dataset.up, location.href).href.replace(/\/$/, "");
  for (const code of document.querySelectorAll(".code code")) {
    code.textContent = code.textContent.replaceAll(page.dataset.here, root);
  }
}

for (const box of document.querySelectorAll(".code")) {
  const pre = box.firstElementChild;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${box.dataset.what}`);
  button.addEventListener("click", () => copy(pre, button));
  box.append(button);
}

async function copy(pre, button) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(pre); // no clipboard without https: the text is at least selected
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

// What can be filtered: an element, its text, and the targets it serves as objects.
function projects(list) {
  const known = new Map();
  const target = (text) => {
    if (!known.has(text)) {
      const [python, platform, compute, torch] = text.split("|");
      known.set(text, { python, platform, compute, torch });
    }
    return known.get(text);
  };
  return [...list.children].map((element) => ({
    element,
    text: element.textContent.toLowerCase(),
    targets: element.dataset.t.split(";").filter(Boolean).map(target),
  }));
}

function wheels() {
  return [...document.querySelectorAll("li.wheel")].map((element) => ({
    element, text: "", targets: [{ ...element.dataset }],
  }));
}

// A wheel for any Python or any platform serves each, and one for 3.9+ serves 3.12; one bound to nothing serves all.
function serves(target, chosen) {
  return Object.entries(chosen).every(([axis, value]) => {
    const own = target[axis];
    if (own === value || own === "any" || own === "") return true;
    return axis === "python" && own.endsWith("+") && !value.endsWith("t")
      && Number(value.split(".")[1]) >= Number(own.slice(2, -1));
  });
}

function start() {
  const list = document.getElementById("projects");
  const items = list ? projects(list) : wheels();
  const what = list ? ["project", "projects"] : ["wheel", "wheels"];

  function apply() {
    const fields = [...new FormData(form)].filter(([, value]) => value.trim());
    const words = (form.elements.q?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = Object.fromEntries(fields.filter(([name]) => name !== "q"));
    let shown = 0;
    for (const { element, text, targets } of items) {
      const found = words.every((word) => text.includes(word))
        && (!Object.keys(chosen).length || targets.some((target) => serves(target, chosen)));
      shown += found;
      if (element.hidden === found) element.hidden = !found;
    }
    count.textContent = fields.length ? `${shown} of ${items.length} ${what[1]}` : `${shown} ${what[shown === 1 ? 0 : 1]}`;
    const query = new URLSearchParams(fields).toString();
    history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
  }

  // The choice goes along to a project's page.
  list?.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const chosen = new URLSearchParams([...new FormData(form)].filter(([name, value]) => name !== "q" && value));
    if (link) link.search = chosen;
  });

  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = form.elements.namedItem(name);
    if (field) field.value = value;
  }
  form.addEventListener("input", apply);
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  form.hidden = false;
  apply();
}

// A wheel that an address points to is not hidden, and shows what is known of it.
function reveal() {
  const wheel = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (wheel?.matches("li.wheel")) {
    wheel.hidden = false;
    wheel.querySelector("details").open = true;
    wheel.scrollIntoView();
  }
}

if (form) start();
addEventListener("hashchange", reveal);
reveal();
