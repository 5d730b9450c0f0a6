// Adds to pages that are whole without it: search and choosing, remembered in the URL, and copying.
"use strict";

const AXES = { python: "Python", platform: "Platform", compute: "Compute", torch: "torch" };
const page = document.documentElement;
const form = document.getElementById("choose");
const clear = form?.querySelector("[type=reset]");
const count = document.getElementById("count");
const none = document.getElementById("none");

// A page drawn without a public URL learns from its own address what to print in the lines.
if (page.dataset.here) {
  const root = new URL(page.dataset.up, location.href).href.replace(/\/$/, "");
  for (const code of document.querySelectorAll(".code code")) {
    code.textContent = code.textContent.replaceAll(page.dataset.here, root);
  }
  document.querySelector(".here")?.remove();
}

const said = document.createElement("p"); // what a screen reader is told
said.className = "hidden";
said.setAttribute("role", "status");
document.body.append(said);

for (const box of document.querySelectorAll(".code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${box.dataset.what}`);
  button.addEventListener("click", () => copy(box.querySelector("pre"), button, box.dataset.what));
  box.append(button);
}

async function copy(pre, button, what) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(pre); // no clipboard without https: the text is at least selected
    button.textContent = "Selected";
  }
  said.textContent = `${button.textContent}: ${what}`;
  setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
}

// Targets are written PYTHON|PLATFORM|COMPUTE|TORCH|VARIANT, and joined by ";".
const targets = new Map();
function target(text) {
  if (!targets.has(text)) {
    const [python, platform, compute, torch] = text.split("|");
    targets.set(text, { python, platform, compute, torch });
  }
  return targets.get(text);
}

// A wheel for any Python or any platform serves each, and one for 3.9+ serves 3.12; one bound to nothing serves all.
function serves(own, chosen) {
  return chosen.every(([axis, value]) => {
    if (own[axis] === value || own[axis] === "any" || own[axis] === "") return true;
    return axis === "python" && own.python.endsWith("+") && !value.endsWith("t")
      && Number(value.split(".")[1]) >= Number(own.python.slice(2, -1));
  });
}

function fits(element, chosen) {
  return !chosen.length || element.dataset.t.split(";").some((text) => text && serves(target(text), chosen));
}

// Names are compared as installers do: flash_attn is flash-attn.
function normal(text) {
  return text.toLowerCase().replace(/[-_.]+/g, "-");
}

function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
  return shown;
}

function showProjects(projects, words, chosen) {
  return projects.filter(({ element, text }) =>
    show(element, words.every((word) => text.includes(word)) && fits(element, chosen))).length;
}

let opened = document.querySelector(".release[open]");
function showWheels(wheels, chosen) {
  const shown = wheels.filter((wheel) => show(wheel, fits(wheel, chosen))).length;
  const table = document.querySelector(".matrix");
  for (const row of table.tBodies[0].rows) show(row, fits(row, chosen));
  const columns = [...table.rows[0].cells].filter((column, at) => {
    const fitting = !at || fits(column, chosen);
    for (const row of table.rows) show(row.cells[at], fitting);
    return fitting;
  });
  show(table.parentElement, columns.length > 1);
  const releases = [...document.querySelectorAll(".release")].filter((release) =>
    show(release, release.querySelector(".wheel:not([hidden])") !== null));
  const first = releases.find((release) => release.querySelector(".snippet")) ?? releases[0];
  if (first && first !== opened) {
    opened.open = false;
    opened = first;
    opened.open = true;
  }
  return shown;
}

// The field of an axis, with a value among what it offers: an address may ask for what nothing here is for.
function fieldWith(axis, value) {
  let field = form.elements.namedItem(axis);
  if (!field) {
    field = document.createElement("select");
    field.name = axis;
    field.add(new Option("any", ""));
    const label = document.createElement("label");
    label.append(AXES[axis], field);
    clear.before(label);
  }
  if (![...field.options].some((option) => option.value === value)) {
    field.add(new Option(value.replace(/^cu(\d\d)(\d)$/, "CUDA $1.$2"), value));
  }
  return field;
}

function start() {
  const list = document.getElementById("projects");
  const what = list ? "project" : "wheel";
  const items = list
    ? [...list.children].map((element) => ({ element, text: normal(element.textContent) }))
    : [...document.querySelectorAll(".wheel")];

  function apply() {
    const fields = [...new FormData(form)].filter(([, value]) => value.trim());
    const words = normal(form.elements.q?.value ?? "").split(/\s+/).filter(Boolean);
    const chosen = fields.filter(([name]) => name !== "q");
    const shown = list ? showProjects(items, words, chosen) : showWheels(items, chosen);
    const all = `${items.length} ${what}${items.length === 1 ? "" : "s"}`;
    count.textContent = fields.length ? `${shown} of ${all}` : all;
    clear.hidden = !fields.length;
    none.hidden = show(list ?? document.getElementById("published"), shown > 0);
    const query = new URLSearchParams(fields).toString();
    history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
  }

  for (const [name, value] of new URLSearchParams(location.search)) {
    if (name === "q" && form.elements.q) form.elements.q.value = value;
    else if (name in AXES && value) fieldWith(name, value).value = value;
  }
  form.addEventListener("input", apply);
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  form.hidden = false;
  apply();
}

// What was chosen goes along to the other pages of the index, what was searched for does not.
addEventListener("click", (event) => {
  const link = event.target.closest(".brand a, #projects a, .recent a");
  if (!link) return;
  const chosen = new URLSearchParams(location.search);
  chosen.delete("q");
  link.search = chosen;
});

// A wheel that an address points to is not hidden, and shows what is known of it.
function reveal() {
  const wheel = document.getElementById(location.hash.slice(1));
  if (!wheel?.matches(".wheel")) return;
  for (const part of [wheel, wheel.closest(".release")]) part.hidden = false;
  wheel.closest(".release").open = true;
  wheel.querySelector("details").open = true;
  wheel.scrollIntoView();
}

if (form) start();
addEventListener("hashchange", reveal);
reveal();
