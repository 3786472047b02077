// Opens the page of a book beside the answer, and turns and zooms it in place.
import { showButtons } from "./copying.js";

// How large pages are read: the last choice, kept on this machine.
const ZOOM = "shiori-zoom";
const WIDE = matchMedia("(min-width: 68rem)");

export function startViewer() {
  const panel = document.getElementById("viewer");
  const viewer = { panel, open, close, isOpen: () => Boolean(panel && !panel.hidden), isWide: () => Boolean(panel && WIDE.matches) };
  let opener = null;
  let wanted = 0;

  async function fetchSheet(url) {
    const address = new URL(url, location.href);
    address.searchParams.set("part", "true");
    try {
      const response = await fetch(address);
      const html = await response.text();
      if (response.ok) return html;
      const page = new DOMParser().parseFromString(html, "text/html");
      return alertOf(page.querySelector("[role=alert]")?.textContent.trim() ?? "頁を開けませんでした。");
    } catch {
      return alertOf("栞につながりません。少し待って、もう一度開いてください。");
    }
  }

  async function open(url, { focus = true, from = document.activeElement } = {}) {
    const turn = ++wanted;
    panel.setAttribute("aria-busy", "true");
    // Its room is made at once: nothing jumps away under the mouse when the page comes.
    panel.hidden = false;
    panel.closest(".results").classList.add("beside");
    const address = new URL(url, location.href);
    const zoom = localStorage.getItem(ZOOM);
    if (zoom) address.searchParams.set("zoom", zoom);
    const html = await fetchSheet(address);
    if (turn !== wanted) return;
    panel.innerHTML = html;
    panel.removeAttribute("aria-busy");
    opener = from;
    addClose();
    fit();
    toMark(panel);
    if (focus) panel.querySelector("[data-sheet] :is(h1, h2), [role=alert]")?.focus({ preventScroll: true });
  }

  // The panel ends where the window ends, however far the page is scrolled.
  function fit() {
    panel.style.setProperty("--top", `${Math.max(panel.getBoundingClientRect().top, 12)}px`);
  }

  function addClose() {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "close";
    button.textContent = "✕";
    button.title = "閉じる";
    button.setAttribute("aria-label", "閉じる");
    button.addEventListener("click", close);
    (panel.querySelector(".tools") ?? panel).append(button);
    showButtons(panel);
  }

  function close() {
    wanted++;
    panel.hidden = true;
    panel.replaceChildren();
    panel.closest(".results").classList.remove("beside");
    if (opener?.isConnected) opener.focus();
  }

  async function turn(link) {
    const sheet = link.closest("[data-sheet]");
    if (link.dataset.zoom) localStorage.setItem(ZOOM, link.dataset.zoom);
    const focusAgain = link.matches("[data-fit]") ? "[data-fit]"
      : link.dataset.zoom ? `[aria-label="${link.getAttribute("aria-label")}"]` : `[rel="${link.rel}"]`;
    const inPanel = panel?.contains(sheet);
    const html = await fetchSheet(link.href);
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const next = holder.content.querySelector("[data-sheet]");
    if (!next) {
      sheet.querySelector(".alert")?.remove();
      sheet.prepend(holder.content);
      return;
    }
    sheet.replaceWith(next);
    if (inPanel) addClose();
    else {
      showButtons(next);
      history.replaceState(null, "", link.href);
    }
    toMark(next);
    const target = next.querySelector(focusAgain);
    (target ?? next.querySelector(":is(h1, h2)"))?.focus({ preventScroll: true });
  }

  function point(link, on) {
    document.getElementById(`p${link.dataset.passage}`)?.classList.toggle("pointed", on);
  }

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const link = event.target.closest("a");
    if (!link) return;
    if (link.matches("[data-turn], [data-zoom]")) {
      event.preventDefault();
      turn(link);
    } else if (panel && WIDE.matches && link.matches("[data-open]")) {
      event.preventDefault();
      open(link.href, { from: link });
    } else if (panel && WIDE.matches && link.matches("[data-page]")) {
      // The answer stays where it is; its proof comes beside it.
      event.preventDefault();
      open(link.dataset.page, { from: link });
    }
  });
  if (panel) {
    for (const name of ["scroll", "resize"]) addEventListener(name, () => panel.hidden || fit(), { passive: true });
  }
  // Sentences are still to come: the document hears for them.
  for (const [name, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]]) {
    document.addEventListener(name, (event) => {
      const link = event.target.closest?.("[data-passage]");
      if (link) point(link, on);
    });
  }
  document.addEventListener("error", (event) => withoutPicture(event.target), true);
  document.querySelectorAll(".paper img").forEach((image) => image.complete && !image.naturalWidth && withoutPicture(image));
  // The evidence of the first sentence stands beside it from the start.
  const first = document.querySelector(".answer [data-page]");
  if (panel && first && WIDE.matches) open(first.dataset.page, { focus: false, from: first });
  for (const sheet of document.querySelectorAll("main > [data-sheet]")) toMark(sheet);
  return viewer;
}

function alertOf(text) {
  const alert = document.createElement("p");
  alert.className = "alert";
  alert.setAttribute("role", "alert");
  alert.tabIndex = -1;
  alert.textContent = text;
  return alert.outerHTML;
}

// A page that cannot be drawn is read by the text that else lies unseen over its picture.
function withoutPicture(image) {
  if (image.matches?.(".paper img")) image.closest(".paper").classList.add("no-picture");
}

// Brings the marked lines into view inside the page's own frame.
function toMark(root) {
  const room = root.querySelector(".paper-room, .reading-text");
  const mark = room?.querySelector(".quoted") ?? room?.querySelector(".cited");
  if (!mark) return;
  const image = room.querySelector("img");
  const move = () => {
    const box = mark.getBoundingClientRect();
    const frame = room.getBoundingClientRect();
    // Where the page stands alone its frame is as high as it is: the window is scrolled.
    if (!room.closest("#viewer") && box.bottom > innerHeight) scrollBy(0, Math.min(box.top, box.bottom - innerHeight / 2) - 16);
    room.scrollTop += box.top - frame.top - frame.height * 0.2;
    room.scrollLeft += box.left - frame.left - frame.width * 0.5;
  };
  move();
  if (image && !image.complete) image.addEventListener("load", move, { once: true });
}
