// A language model's answer, sentence by sentence, above what the books say.
import { say } from "./saying.js";

const SAID = {
  lost: "栞との通信が切れたので、まとめは途中で止まりました。下の本の記述はそのまま使えます。",
  stopped: "まとめを書くのをやめました。下の本の記述はそのまま使えます。",
};

export function startWriting() {
  for (const section of document.querySelectorAll("[data-writes]")) write(section);
}

function write(section) {
  const place = section.querySelector("[data-written]");
  if (!place) return;
  const before = place.innerHTML;
  place.hidden = false;
  const sentences = place.querySelector("[data-sentences]");
  const status = place.querySelector("[data-status]");
  const source = new EventSource(section.dataset.writes);
  let count = 0;
  // A page that is come back to may be shown as it was left.
  const leave = () => source.readyState === EventSource.CLOSED || stop();
  addEventListener("pagehide", leave, { once: true });

  source.addEventListener("status", (event) => (status.textContent = JSON.parse(event.data)));
  source.addEventListener("sentence", (event) => {
    sentences.append(parsed(JSON.parse(event.data)));
    count += 1;
    status.textContent = `${count}文を書きました。続きを書いています…`;
  });
  source.addEventListener("done", (event) => {
    source.close();
    const whole = parsed(JSON.parse(event.data));
    const written = whole.querySelector(".blocks") !== null;
    leaveOutTwice(whole, section);
    place.replaceChildren(whole);
    say(written ? `まとめを書き終えました。${place.querySelectorAll(".blocks > li").length}文です。` : place.textContent.trim());
  });
  // The server's own error carries its words; a broken connection carries none.
  source.addEventListener("error", (event) => {
    source.close();
    end(typeof event.data === "string" ? JSON.parse(event.data) : SAID.lost);
  });
  place.querySelector("[data-stop]").addEventListener("click", stop);

  function stop() {
    source.close();
    end(SAID.stopped);
  }

  // What was verified stays; the reader is told that there is no more, and may ask again.
  function end(why) {
    const notice = document.createElement("p");
    notice.className = "notice";
    notice.setAttribute("role", "alert");
    const again = document.createElement("button");
    again.type = "button";
    again.className = "plain";
    again.textContent = "もう一度書く";
    again.addEventListener("click", () => {
      place.innerHTML = before;
      write(section);
    });
    notice.append(why, " ", again);
    const wasHere = place.contains(document.activeElement);
    place.querySelector(".writing").replaceWith(notice);
    if (!count) sentences.parentElement.remove();
    if (wasHere) again.focus({ preventScroll: true });
  }
}

// What the page says already is not said again.
function leaveOutTwice(whole, section) {
  const said = [...document.querySelectorAll(".column > .notice")].map((notice) => notice.textContent);
  for (const notice of whole.querySelectorAll(".notice")) if (said.includes(notice.textContent)) notice.remove();
  if (whole.querySelector(".differing")) section.querySelector(".differing")?.remove();
}

function parsed(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content;
}
