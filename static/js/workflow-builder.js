// The builder of workflows: Alt and an arrow move a step, dragging its number does too; typed changes are not lost unasked.
(() => {
  const builder = document.querySelector("[data-builder]");
  if (!builder) return;
  const steps = () => [...builder.querySelectorAll("[data-step]")];

  builder.addEventListener("keydown", (event) => {
    const step = event.target.closest("[data-step]");
    if (!step || !event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    step.querySelector(event.key === "ArrowUp" ? "[data-step-up]" : "[data-step-down]").click();
  });

  function move(from, to) {
    if (from === to) return;
    const button = builder.querySelector("[data-move]");
    button.value = `move-${from}-${to}`;
    button.click();
  }

  let dragged = null;
  builder.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-step-handle]");
    if (!handle || event.button !== 0) return;
    event.preventDefault();
    dragged = handle.closest("[data-step]");
    dragged.classList.add("is-dragged");
    handle.setPointerCapture(event.pointerId);
  });
  const place = (y) => {
    const others = steps().filter((step) => step !== dragged);
    const after = others.filter((step) => { const box = step.getBoundingClientRect(); return y > box.top + box.height / 2; });
    return after.length;
  };
  builder.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    const others = steps().filter((step) => step !== dragged), to = place(event.clientY);
    others.forEach((step, at) => {
      step.classList.toggle("drop-before", at === to);
      step.classList.toggle("drop-after", at === others.length - 1 && to === others.length);
    });
  });
  const end = (event) => {
    if (!dragged) return;
    const from = Number(dragged.dataset.step), to = place(event.clientY);
    steps().forEach((step) => step.classList.remove("is-dragged", "drop-before", "drop-after"));
    dragged = null;
    if (event.type === "pointerup") move(from, to);
  };
  builder.addEventListener("pointerup", end);
  builder.addEventListener("pointercancel", end);

  let changed = !!builder.querySelector("[data-error-summary]");
  builder.addEventListener("input", () => { changed = true; });
  builder.addEventListener("picker:changed", () => { changed = true; });
  builder.addEventListener("submit", () => { changed = false; });
  addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
})();
