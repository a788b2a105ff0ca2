// Ticked rows: the bar appears with the first, counts, ticks the page, offers all that match.
(() => {
  const rows = (form) => [...form.querySelectorAll("[data-bulk-row]")];

  function refresh(form) {
    const all = rows(form), ticked = all.filter((row) => row.checked);
    const page = form.querySelector("[data-bulk-page]");
    const bar = form.querySelector("[data-bulk-bar]");
    const every = form.querySelector("[data-bulk-all]");
    const count = form.querySelector("[data-bulk-count]");
    const full = ticked.length > 0 && ticked.length === all.length;
    if (page) { page.checked = full; page.indeterminate = ticked.length > 0 && !full; }
    if (!bar) return;
    if (every) {
      every.classList.toggle("is-shown", full);
      if (!full) every.querySelector("input").checked = false;
    }
    const whole = every?.querySelector("input").checked;
    const text = whole ? count.dataset.all.replace("{n}", count.dataset.total)
      : ticked.length === 1 ? count.dataset.one : count.dataset.many.replace("{n}", ticked.length);
    bar.classList.toggle("is-shown", ticked.length > 0);
    bar.querySelectorAll("[data-bulk-single]").forEach((part) => { part.hidden = ticked.length !== 1; });
    bar.querySelectorAll("[data-bulk-several]").forEach((part) => { part.hidden = ticked.length < 2; });
    count.textContent = ticked.length ? text : "";
  }

  let last = null;
  document.addEventListener("click", (event) => {
    const form = event.target.closest("[data-bulk]");
    if (!form) return;
    if (event.target.closest("[data-bulk-clear]")) {
      rows(form).forEach((row) => { row.checked = false; });
      refresh(form);
      form.querySelector("[data-bulk-page]")?.focus();
    } else if (event.target.matches("[data-bulk-row]")) {
      const all = rows(form), here = all.indexOf(event.target), from = all.indexOf(last);
      if (event.shiftKey && from >= 0) all.slice(Math.min(here, from), Math.max(here, from) + 1).forEach((row) => { row.checked = event.target.checked; });
      last = event.target;
      refresh(form);
    }
  });

  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-bulk]");
    if (!form) return;
    if (event.target.matches("[data-bulk-page]")) rows(form).forEach((row) => { row.checked = event.target.checked; });
    refresh(form);
  });

  const refreshAll = () => document.querySelectorAll("[data-bulk]").forEach(refresh);
  addEventListener("pageshow", refreshAll);
  document.addEventListener("htmx:afterSettle", refreshAll);
})();
