// After a swap that somebody asked for by a click or a form, focus goes to what the eye looks for.
(() => {
  let asked = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    asked = ["submit", "click"].includes(event.detail.requestConfig.triggeringEvent?.type) && !event.target.closest("[data-focus-stays]");
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const place = event.detail.elt;
    if (!place?.querySelector || place.closest("#dialog, #toasts, [data-focus-stays]")) return;
    const wrong = place.matches("[data-error-summary]") ? place : place.querySelector("[data-error-summary]");
    if (wrong) return wrong.focus();
    const lost = document.activeElement === document.body || !document.activeElement?.isConnected;
    if (!asked || !lost) return;
    const next = place.querySelector("[autofocus]") ?? place.querySelector("h1, h2, h3") ?? place;
    if (!next.matches("a, button, input, select, textarea, [tabindex]")) next.tabIndex = -1;
    next.focus();
  });

  // A link of the error summary to a group of choices lands on its first control.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-error-summary] a[href^='#']");
    const field = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!field) return;
    event.preventDefault();
    const control = field.matches("fieldset") ? field.querySelector("input:not([type=hidden])") ?? field : field;
    control.focus();
    field.scrollIntoView({ block: "center" });
  });

  addEventListener("DOMContentLoaded", () => document.querySelector("[data-error-summary]")?.focus());
})();
