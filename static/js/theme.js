// Follows the reader's light or dark setting. Loaded in <head> before the first paint.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { root.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  root.classList.add("js");
  apply();
  dark.addEventListener("change", apply);
})();
