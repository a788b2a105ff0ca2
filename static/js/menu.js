// Menus made of <details>: one open at a time, Escape and a press elsewhere close. Ctrl-K goes to the search.
(() => {
  const open = () => [...document.querySelectorAll("details[data-menu][open]")];
  document.addEventListener("pointerdown", (event) => {
    open().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("focusin", (event) => {
    open().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  document.addEventListener("keydown", (event) => {
    const find = document.querySelector("[data-find-input]");
    if (find && event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      find.focus();
      find.select();
      return;
    }
    if (event.key === "Escape") {
      open().forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
      if (find?.form.contains(event.target)) { document.getElementById("find-results").replaceChildren(); find.focus(); }
    }
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && find?.form.contains(event.target)) {
      const stops = [find, ...find.form.querySelectorAll(".find-results a")];
      const next = stops[stops.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) { event.preventDefault(); next.focus(); }
    }
  });
})();
