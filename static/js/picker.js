// Search as you type, choose by keyboard: a ticked result moves to the chosen ones.
(() => {
  const part = (picker, name) => picker.querySelector(`[data-picker-${name}]`);
  const say = (picker, text) => { part(picker, "status").textContent = text; };
  const boxes = (place) => [...place.querySelectorAll("input[type=checkbox], input[type=radio]")];

  function close(picker) {
    part(picker, "found").replaceChildren();
  }

  function choose(picker, input) {
    const chosen = part(picker, "chosen");
    const row = input.closest(".picker-option");
    if (input.type === "radio") {
      boxes(chosen).filter((old) => !old.hasAttribute("data-picker-nobody")).forEach((old) => old.closest(".picker-option").remove());
    }
    const same = boxes(chosen).find((old) => old.value === input.value);
    if (same) { same.checked = true; row.remove(); } else { chosen.append(row); input.checked = true; }
    close(picker);
    const search = part(picker, "input");
    search.value = "";
    search.focus();
    say(picker, picker.dataset.added.replace("{name}", row.querySelector(".picker-text").firstElementChild.textContent));
    picker.dispatchEvent(new CustomEvent("picker:changed", { bubbles: true }));
  }

  document.addEventListener("change", (event) => {
    const picker = event.target.closest("[data-picker]");
    if (picker && event.target.checked && part(picker, "found").contains(event.target)) choose(picker, event.target);
  });

  document.addEventListener("keydown", (event) => {
    const picker = event.target.closest?.("[data-picker]");
    if (!picker) return;
    const search = part(picker, "input");
    const results = boxes(part(picker, "found"));
    const at = results.indexOf(event.target);
    if (event.target !== search && at < 0) return;
    if (event.key === "Escape" && part(picker, "found").childElementCount) {
      event.preventDefault();
      close(picker);
      search.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (results[Math.min(next, results.length - 1)] ?? search).focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (at >= 0) choose(picker, event.target);
      else window.htmx.trigger(search, "find");
    }
  });

  document.addEventListener("focusout", (event) => {
    const picker = event.target.closest?.("[data-picker]");
    if (picker && event.relatedTarget && !picker.contains(event.relatedTarget)) close(picker);
  });
  document.addEventListener("pointerdown", (event) => {
    document.querySelectorAll("[data-picker]").forEach((picker) => { if (!picker.contains(event.target)) close(picker); });
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const picker = event.detail.target?.closest?.("[data-picker]");
    const results = picker?.querySelector("[data-picker-results]");
    if (!results) return;
    const taken = new Set(boxes(part(picker, "chosen")).filter((box) => box.checked).map((box) => box.value));
    boxes(results).filter((box) => taken.has(box.value)).forEach((box) => box.closest(".picker-option").remove());
    say(picker, results.dataset.text);
  });
})();
