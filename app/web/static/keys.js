// Shortcuts, and an Enter key that never sends a half-converted question.
const STORED = "shiori-keys";

export function startKeys(viewer) {
  guardComposition();
  const help = document.getElementById("keys");
  const toggle = document.getElementById("keys-on");
  for (const button of document.querySelectorAll("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => help.showModal());
  }
  toggle.checked = localStorage.getItem(STORED) !== "off";
  toggle.addEventListener("change", () => localStorage.setItem(STORED, toggle.checked ? "on" : "off"));

  const actions = {
    "/": () => document.getElementById("q")?.select() ?? document.getElementById("q")?.focus(),
    j: () => step(1),
    k: () => step(-1),
    o: openCurrent,
    Enter: openCurrent,
    "]": () => document.querySelector("[data-sheet] [rel=next]")?.click(),
    "[": () => document.querySelector("[data-sheet] [rel=prev]")?.click(),
    "+": () => document.querySelector("[data-zoom][aria-label=拡大]")?.click(),
    f: () => document.querySelector("[data-fit]")?.click(),
    "-": () => document.querySelector("[data-zoom][aria-label=縮小]")?.click(),
    "?": () => help.showModal(),
    Escape: () => viewer.isOpen() && viewer.close(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (help.open || at.matches("input, select, textarea")) return;
    if (event.key === "Enter" && !at.matches(".passage")) return;
    if (!toggle.checked && event.key.length === 1) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  function passages() {
    return [...document.querySelectorAll(".passage")];
  }

  function step(by) {
    const all = passages();
    const now = all.indexOf(document.activeElement.closest(".passage"));
    const next = all[now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  function openCurrent() {
    const passage = document.activeElement.closest(".passage");
    const link = passage?.querySelector("[data-open]");
    if (link && viewer.isWide()) viewer.open(link.href, { from: passage });
    else link?.click();
  }
}

function guardComposition() {
  // Safari ends the composition before the Enter that ended it arrives; 229 still tells.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) {
      if (event.target.matches("input")) event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
}
