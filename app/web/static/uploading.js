// Sends books and shows how far the adding of each is.
export function startUploading() {
  const place = document.querySelector("[data-progress]");
  if (!place) return;
  const status = place.querySelector("[role=status]");
  const list = place.querySelector("ul");
  const form = document.querySelector("[data-upload]");
  const button = form.querySelector("button");
  place.querySelector("[data-noscript]")?.remove();
  startDropping(form);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    place.hidden = false;
    button.disabled = true;
    list.replaceChildren();
    let told = -1;
    send(form, (share) => {
      // Every tenth is enough to hear.
      const tenth = Math.floor(share * 10);
      if (tenth !== told) status.textContent = `送っています… ${tenth * 10}%`;
      told = tenth;
    }).then(
      () => {
        form.reset();
        follow();
      },
      (message) => {
        status.textContent = message;
        button.disabled = false;
      },
    );
  });

  async function follow() {
    button.disabled = true;
    try {
      const { running, summary, files } = await (await fetch("/library/progress")).json();
      show(list, files);
      if (status.textContent !== summary) status.textContent = summary;
      if (running) return setTimeout(follow, 700);
      await renewShelf();
    } catch {
      status.textContent = "進み具合が分かりません。画面を開き直してください。登録は続いています。";
    }
    button.disabled = false;
  }

  if ("running" in place.dataset) {
    list.replaceChildren(); // rows of this script have a bar
    follow();
  }
}

// Rows stay in their places, so that a screen reader does not lose the one it reads.
function show(list, files) {
  while (list.children.length > files.length) list.lastChild.remove();
  files.forEach((file, at) => {
    const row = list.children[at] ?? list.appendChild(newRow());
    const [name, state, bar] = row.children;
    if (name.textContent !== file.name) name.textContent = file.name;
    if (state.textContent !== file.words) state.textContent = file.words;
    row.className = file.state === "failed" ? "failed" : "";
    bar.hidden = file.state !== "reading" || !file.total;
    bar.max = file.total || 1;
    bar.value = file.done;
    bar.setAttribute("aria-label", `${file.name}の進み具合`);
  });
}

function newRow() {
  const row = document.createElement("li");
  for (const [kind, name] of [["span", "what"], ["span", "state"], ["progress", ""]]) {
    const part = document.createElement(kind);
    part.className = name;
    row.append(part);
  }
  return row;
}

// The list of books as it is now, without losing the place on the page.
async function renewShelf() {
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const shelf = page.querySelector("[data-shelf]");
  if (shelf) document.querySelector("[data-shelf]").replaceWith(shelf);
}

function startDropping(form) {
  const panel = form.closest(".panel");
  panel.querySelector("[data-dropping]").hidden = false;
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  panel.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    panel.classList.add("dropping");
  });
  panel.addEventListener("dragleave", (event) => {
    if (!panel.contains(event.relatedTarget)) panel.classList.remove("dropping");
  });
  panel.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    panel.classList.remove("dropping");
    const input = form.querySelector("input[type=file]");
    input.files = event.dataTransfer.files;
    input.focus();
  });
}

// fetch cannot say how much was sent; XMLHttpRequest can.
function send(form, onShare) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => event.lengthComputable && onShare(event.loaded / event.total));
    request.addEventListener("load", () => {
      if (request.status < 400) return done();
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      failed(page.querySelector("[role=alert]")?.textContent.replace(/\s+/g, " ").trim() ?? "送れませんでした。");
    });
    request.addEventListener("error", () => failed("送れませんでした。通信を確かめてください。"));
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
}
