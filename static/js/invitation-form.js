// The invitation's form: preset buttons fill in a day, and what only a Group has is hidden for a Single.
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sets]");
    if (!button) return;
    const field = document.getElementById(button.dataset.sets);
    field.value = button.dataset.value;
    field.focus();
  });

  const form = document.querySelector("[data-invitation-form]");
  if (!form) return;
  const refresh = () => {
    const chosen = form.querySelector("input[name=type]:checked, input[name=type][type=hidden]");
    form.querySelectorAll("[data-group-only]").forEach((part) => { part.hidden = chosen?.value === "single"; });
  };
  form.addEventListener("change", refresh);
  refresh();
})();
