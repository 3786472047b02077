// What is copied from a book carries its citation.
export function startCopying() {
  document.addEventListener("copy", (event) => {
    const selection = document.getSelection();
    const text = selection?.toString().trim();
    const start = selection?.anchorNode?.parentElement?.closest("[data-cite]");
    if (!text || !start || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", `${text}\n（${start.dataset.cite}）`);
    event.preventDefault();
  });
}
