// Shows how far the adding of books is.
const STATES = {
  waiting: () => "待っています",
  reading: (file) => (file.total ? `読んでいます ${file.done}/${file.total}頁` : "読んでいます"),
  added: () => "登録しました",
  unchanged: () => "変わりありません",
  failed: (file) => `登録できませんでした。${file.reason}`,
};

export function startUploading() {
  const place = document.querySelector("[data-progress]");
  if (!place) return;
  const status = place.querySelector("[role=status]");
  const list = place.querySelector("ul");
  place.querySelector("[data-noscript]")?.remove();
  const form = document.querySelector("[data-upload]");

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    place.hidden = false;
    form.querySelector("button").disabled = true;
    send(form, (share) => (status.textContent = `送っています… ${Math.round(share * 100)}%`)).then(
      () => follow(true),
      (message) => {
        status.textContent = message;
        form.querySelector("button").disabled = false;
      },
    );
  });

  async function follow(reload) {
    const response = await fetch("/library/progress");
    const { running, files } = await response.json();
    list.replaceChildren(...files.map(row));
    status.textContent = running ? "登録しています…" : "登録を終えました。";
    if (running) setTimeout(() => follow(reload), 700);
    else if (reload) location.reload();
  }

  if (status.textContent.startsWith("登録しています")) follow(true);
}

function row(file) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = "what";
  name.textContent = file.name;
  const state = document.createElement("span");
  state.className = "state";
  state.textContent = STATES[file.state]?.(file) ?? file.state;
  item.append(name, state);
  if (file.state === "reading" && file.total) {
    const bar = document.createElement("progress");
    bar.max = file.total;
    bar.value = file.done;
    bar.setAttribute("aria-label", `${file.name}の進み具合`);
    item.append(bar);
  }
  return item;
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
