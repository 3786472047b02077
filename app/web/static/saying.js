// Says what was done: read out at once, seen for a while.
const SECONDS = 8;
let timer = 0;

export function say(text) {
  const said = document.querySelector("[data-said]");
  said.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => (said.textContent = ""), SECONDS * 1000);
}
