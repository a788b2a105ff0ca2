// [data-copy]: puts its text on the clipboard and says so.
(() => {
  async function put(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Plain http away from this machine has no clipboard API.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("not copied");
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try { await put(button.dataset.copy); } catch { return; }
    button.focus();
    const label = button.querySelector("[data-copy-label]");
    const before = button.dataset.label ??= label.textContent;
    label.textContent = button.dataset.copied;
    document.getElementById("announce").textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = before; document.getElementById("announce").textContent = ""; }, 2500);
  });
})();
