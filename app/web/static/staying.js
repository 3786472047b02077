// Sends a small form without leaving the page: the part it belongs to is replaced.
const NAME = "shiori-name";

export function startStaying() {
  fillNames(document);
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const part = form.dataset.stay;
    if (!part) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form));
    if (body.has("name")) localStorage.setItem(NAME, body.get("name"));
    const response = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const next = page.getElementById(part);
    const said = document.querySelector("[data-said]");
    if (!response.ok || !next) {
      if (said) said.textContent = page.querySelector("[role=alert]")?.textContent ?? "送れませんでした。";
      return;
    }
    document.getElementById(part).replaceWith(next);
    fillNames(next);
    next.focus({ preventScroll: true });
    if (said) said.textContent = "記録しました。";
  });
}

function fillNames(root) {
  for (const input of root.querySelectorAll("[data-name]")) input.value ||= localStorage.getItem(NAME) ?? "";
}
