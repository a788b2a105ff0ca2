// A form that changes something is sent once; data-resubmit opts out (a download, for example).
(() => {
  const busy = (form, on) => {
    form.toggleAttribute("data-sent", on);
    const own = form.id ? document.querySelectorAll(`button[form="${CSS.escape(form.id)}"]`) : [];
    [...form.querySelectorAll("button:not([type=button])"), ...own].forEach((button) => {
      if (on && !button.disabled) { button.disabled = true; button.dataset.held = ""; }
      else if (!on && "held" in button.dataset) { button.disabled = false; delete button.dataset.held; }
      if (!on) button.removeAttribute("aria-busy");
    });
  };

  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (form.method !== "post" || form.hasAttribute("data-resubmit")) return;
    if (form.hasAttribute("data-sent")) { event.preventDefault(); event.stopImmediatePropagation(); return; }
    form.toggleAttribute("data-sent", true);
    // After the browser has collected the form, or the pressed button's own value would be lost.
    setTimeout(() => { busy(form, true); button?.setAttribute("aria-busy", "true"); });
  }, true);

  const free = () => document.querySelectorAll("form[data-sent]").forEach((form) => busy(form, false));
  addEventListener("pageshow", free);
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest?.("form[data-sent]");
    if (form) busy(form, false);
  });
})();
