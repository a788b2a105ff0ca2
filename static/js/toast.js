// Messages that leave by themselves, pause while read, and can be closed.
(() => {
  const STAY = 8000, STAY_WITH_ACTION = 20000;
  const region = () => document.getElementById("toasts");
  // What lies under an open dialog cannot be read, so a message goes into it.
  const place = () => document.querySelector("dialog[open] .dialog-content") ?? region();
  const still = () => document.hidden || region().matches(":hover, :focus-within");

  function arm(toast) {
    if (toast.dataset.armed) return;
    toast.dataset.armed = "yes";
    if (toast.hasAttribute("data-toast-keep") || !toast.closest(".staff")) return;
    let left = toast.querySelector("form, a") ? STAY_WITH_ACTION : STAY;
    const tick = setInterval(() => {
      if (!toast.isConnected) return clearInterval(tick);
      if (!still()) left -= 500;
      if (left <= 0) { clearInterval(tick); toast.remove(); }
    }, 500);
  }

  function show(text, failed) {
    const toast = document.createElement("div");
    toast.className = `toast-item ${failed ? "tone-red" : "tone-green"}`;
    toast.dataset.toast = "";
    if (failed) { toast.dataset.toastKeep = ""; toast.setAttribute("role", "alert"); }
    const body = toast.appendChild(document.createElement("div"));
    body.className = "toast-text";
    body.textContent = text;
    const close = toast.appendChild(document.createElement("button"));
    close.type = "button";
    close.className = "btn btn-icon btn-quiet";
    close.dataset.toastDismiss = "";
    close.setAttribute("aria-label", region().dataset.toastClose);
    close.textContent = "×";
    place().append(toast);
  }

  function begin() {
    const box = region();
    if (!box || box.dataset.begun) return;
    box.dataset.begun = "yes";
    // A live region speaks only of what arrives later, so what the page came with arrives again.
    const first = [...box.querySelectorAll("[data-toast]")];
    first.forEach((toast) => toast.remove());
    new MutationObserver(() => box.querySelectorAll("[data-toast]").forEach(arm)).observe(box, { childList: true, subtree: true });
    requestAnimationFrame(() => box.append(...first));
  }

  addEventListener("DOMContentLoaded", begin);
  document.addEventListener("htmx:afterSettle", begin);

  // The error fragment never replaces what failed; it becomes a message.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, serverResponse } = event.detail;
    if (xhr.status < 400 || !/^\s*<div class="toast-item/.test(serverResponse ?? "")) return;
    event.detail.target = place();
    event.detail.swapOverride = "beforeend";
  });

  document.addEventListener("click", (event) => {
    event.target.closest("[data-toast-dismiss]")?.closest("[data-toast]").remove();
  });
  document.addEventListener("toast", (event) => show(event.detail.message ?? event.detail.value, event.detail.category === "error"));
  document.addEventListener("htmx:sendError", () => show(region().dataset.toastOffline, true));
})();
