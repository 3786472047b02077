// Shows how far the building of a new index is.
export function startRebuilding() {
  const place = document.querySelector("[data-rebuilding]");
  if (!place || !("running" in place.dataset)) return;
  const status = place.querySelector("[role=status]");
  const bar = place.querySelector("progress");
  place.querySelector("[data-noscript]")?.remove();

  async function follow() {
    try {
      const { running, done, total, words } = await (await fetch("/library/upkeep/progress")).json();
      bar.max = total || 1;
      bar.value = done;
      if (status.textContent !== words) status.textContent = words;
      if (running) return setTimeout(follow, 700);
      bar.remove();
      document.querySelector("[data-rebuild]").disabled = false;
    } catch {
      status.textContent = "進み具合が分かりません。画面を開き直してください。";
    }
  }
  follow();
}
