// The button in a password field that shows what was typed; hidden again before it is sent.
(() => {
  const set = (box, shown) => {
    box.querySelector("input").type = shown ? "text" : "password";
    box.querySelector("[data-reveal-button]").setAttribute("aria-pressed", String(shown));
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reveal-button]");
    if (button) set(button.closest("[data-reveal]"), button.getAttribute("aria-pressed") !== "true");
  });
  document.addEventListener("submit", (event) => {
    event.target.querySelectorAll("[data-reveal]").forEach((box) => set(box, false));
  }, true);
})();
