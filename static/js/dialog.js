// Opens <dialog id="dialog"> when htmx has filled it, keeps its forms inside, closes it.
(() => {
  const box = () => document.getElementById("dialog");

  function keepInside(form) {
    if (form.method !== "post" || form.hasAttribute("hx-post") || form.hasAttribute("data-native")) return;
    form.setAttribute("hx-post", form.getAttribute("action") || "");
    form.setAttribute("hx-target", "#dialog");
    window.htmx.process(form);
  }

  // The answer to a saved form is the page it led to: that page takes the place of this one, with its messages.
  // (Asking for it a second time would lose them.) Going back reloads, as with any page.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr, serverResponse } = event.detail;
    if (target?.id !== "dialog" || !/^\s*<!doctype/i.test(serverResponse ?? "")) return;
    box().close();
    history.replaceState({ htmx: true }, "", location.href);
    if (xhr.responseURL !== location.href) history.pushState({ htmx: true }, "", xhr.responseURL);
    event.detail.target = document.body;
    event.detail.swapOverride = "innerHTML show:window:top";
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.detail.target;
    if (dialog?.id !== "dialog") return;
    if (!dialog.childElementCount) return dialog.close();
    dialog.querySelectorAll("form").forEach(keepInside);
    if (!dialog.open) dialog.showModal();
    const first = dialog.querySelector("[data-error-summary], [autofocus], #dialog-heading");
    first?.focus();
  });

  document.addEventListener("click", (event) => {
    const dialog = box();
    if (!dialog?.open) return;
    const closer = event.target.closest("[data-dialog-close]");
    if (closer && dialog.contains(closer)) { event.preventDefault(); dialog.close(); }
  });

  // A press on the backdrop lands on the dialog itself; one that began inside does not count.
  document.addEventListener("pointerdown", (event) => {
    const dialog = box();
    if (event.target !== dialog) return;
    const edge = dialog.getBoundingClientRect();
    const inside = event.clientX >= edge.left && event.clientX <= edge.right && event.clientY >= edge.top && event.clientY <= edge.bottom;
    if (!inside) dialog.close();
  });

  document.addEventListener("close", (event) => {
    if (event.target.id === "dialog") event.target.replaceChildren();
  }, true);
  document.addEventListener("dialog:close", () => box()?.close());
})();
