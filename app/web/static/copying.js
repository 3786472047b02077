// What is copied from a book carries its citation.
import { say } from "./saying.js";

export function startCopying() {
  document.addEventListener("copy", (event) => {
    const selection = document.getSelection();
    const text = selection?.toString().trim();
    const start = selection?.anchorNode?.parentElement?.closest("[data-cite]");
    if (!text || !start || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", cited(text, start.dataset.cite));
    event.preventDefault();
  });
  showButtons(document);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const place = button.dataset.text ? button : button.closest(".passage").querySelector(".text[data-cite]");
    const done = await copy(cited(place.dataset.text ?? place.textContent.trim(), place.dataset.cite));
    say(done ? `写しました: ${place.dataset.cite}` : "写せませんでした。文を選んで Ctrl+C で写してください。");
  });
}

// The buttons need a script to work, so they are shown by one.
export function showButtons(root) {
  for (const button of root.querySelectorAll("[data-copy], [data-print]")) button.hidden = false;
}

function cited(text, citation) {
  return `${text}\n（${citation}）`;
}

async function copy(text) {
  // Browsers offer the clipboard to secure pages only; an office network seldom has certificates.
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not permitted: the older way may still be.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  area.className = "unseen";
  document.body.append(area);
  const before = document.activeElement;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus({ preventScroll: true });
  return done;
}
