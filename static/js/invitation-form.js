// The invitation's form: preset buttons fill in a day or the days of reminders, and what only a Group has is hidden for a Single.
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sets]");
    if (!button) return;
    const values = button.dataset.value.split(";");
    const fields = button.dataset.sets.split(" ").map((id) => document.getElementById(id));
    fields.forEach((field, number) => { field.value = values[number]; });
    fields[0].focus();
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
