// Menus made of <details>: one open at a time, Escape and a press elsewhere close.
(() => {
  const open = () => [...document.querySelectorAll("details[data-menu][open]")];
  const closeOthers = (event) => {
    open().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  };
  document.addEventListener("pointerdown", closeOthers);
  document.addEventListener("focusin", closeOthers);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    open().forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  });
})();
