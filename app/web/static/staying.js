// Sends a small form without leaving the page: the part it belongs to is replaced.
import { showButtons } from "./copying.js";
import { say } from "./saying.js";

const NAME = "shiori-name";
const sending = new WeakSet();

export function startStaying() {
  fillNames(document);
  for (const button of document.querySelectorAll("[data-print]")) {
    button.addEventListener("click", () => print());
  }
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const part = form.dataset.stay;
    if (!part) return;
    event.preventDefault();
    // Pressed twice in haste, it is sent once.
    if (sending.has(form)) return;
    sending.add(form);
    const body = new URLSearchParams(new FormData(form));
    if (body.has("name")) localStorage.setItem(NAME, body.get("name"));
    let response, page;
    try {
      response = await fetch(form.action, { method: "POST", body });
      page = new DOMParser().parseFromString(await response.text(), "text/html");
    } catch {
      return say("栞につながりません。少し待って、もう一度押してください。");
    } finally {
      sending.delete(form);
    }
    const next = page.getElementById(part);
    if (!response.ok || !next) {
      return say(page.querySelector("[role=alert]")?.textContent.trim() ?? "送れませんでした。");
    }
    document.getElementById(part).replaceWith(next);
    fillNames(next);
    next.focus({ preventScroll: true });
    showButtons(next);
    say("記録しました。");
  });
}

function fillNames(root) {
  for (const input of root.querySelectorAll("[data-name]")) input.value ||= localStorage.getItem(NAME) ?? "";
}
