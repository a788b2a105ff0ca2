// The editor of e-mail templates: line numbers, marks and placeholders over plain text areas, which work without it.
(() => {
  const studio = document.querySelector("[data-studio]");
  if (!studio || !window.CodeMirror) return;
  const cm = window.CodeMirror;
  const editors = new Map();
  let last = studio.querySelector("[data-code=html]");

  const colours = cm.HighlightStyle.define([
    { tag: [cm.tags.tagName, cm.tags.angleBracket], color: "var(--code-tag)" },
    { tag: [cm.tags.attributeName, cm.tags.propertyName], color: "var(--code-name)" },
    { tag: [cm.tags.attributeValue, cm.tags.string], color: "var(--code-text)" },
    { tag: [cm.tags.keyword, cm.tags.brace, cm.tags.processingInstruction, cm.tags.operatorKeyword, cm.tags.controlKeyword], color: "var(--code-tag)" },
    { tag: [cm.tags.variableName, cm.tags.function(cm.tags.variableName)], color: "var(--code-variable)", fontWeight: "600" },
    { tag: [cm.tags.comment], color: "var(--ink-soft)", fontStyle: "italic" },
    { tag: [cm.tags.invalid], color: "var(--code-name)" },
  ]);
  const theme = cm.EditorView.theme({
    "&": { backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "0.8125rem", height: "100%" },
    "&.cm-focused": { outline: "none" },
    ".cm-scroller": { fontFamily: "var(--tblr-font-monospace)", lineHeight: "1.55" },
    ".cm-content": { caretColor: "var(--ink)" },
    ".cm-cursor": { borderLeftColor: "var(--ink)" },
    ".cm-gutters": { backgroundColor: "var(--surface-2)", color: "var(--ink-soft)", border: "none" },
    ".cm-activeLine": { backgroundColor: "color-mix(in oklab, var(--surface-2) 60%, transparent)" },
    ".cm-activeLineGutter": { backgroundColor: "var(--accent-tint)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--code-selection)" },
    ".cm-tooltip, .cm-panels": { backgroundColor: "var(--surface)", color: "var(--ink)", borderColor: "var(--line)" },
  });

  function enhance(area) {
    const label = studio.querySelector(`label[for="${area.id}"]`);
    label.id = `${area.id}-label`;
    label.removeAttribute("for"); // one box by this name, not two
    label.addEventListener("click", () => view.focus());
    const told = cm.EditorView.updateListener.of((update) => {
      if (!update.docChanged) return;
      area.value = update.state.doc.toString();
      area.dispatchEvent(new Event("input", { bubbles: true }));
    });
    const attributes = { "aria-labelledby": label.id, tabindex: "0", spellcheck: "false", autocorrect: "off" };
    const described = area.getAttribute("aria-describedby");
    if (described) attributes["aria-describedby"] = described;
    if (area.getAttribute("aria-invalid")) attributes["aria-invalid"] = "true";
    const view = new cm.EditorView({
      state: cm.EditorState.create({
        doc: area.value,
        extensions: [
          cm.EditorView.cspNonce.of(studio.dataset.nonce),
          cm.lineNumbers(), cm.lintGutter(), cm.history(), cm.drawSelection(), cm.highlightSpecialChars(),
          cm.highlightActiveLine(), cm.highlightActiveLineGutter(), cm.bracketMatching(),
          cm.EditorView.lineWrapping, cm.syntaxHighlighting(colours), theme, cm.liquidLanguage, told,
          cm.EditorView.perLineTextDirection.of(true),
          // The Tab key is left alone, so that the keyboard finds the way out.
          cm.keymap.of([...cm.defaultKeymap, ...cm.historyKeymap, ...cm.searchKeymap]),
          cm.EditorView.contentAttributes.of(attributes),
        ],
      }),
    });
    const frame = document.createElement("div");
    frame.className = "code-editor";
    frame.append(view.dom);
    area.after(frame);
    area.classList.add("visually-hidden");
    area.tabIndex = -1;
    area.setAttribute("aria-hidden", "true");
    // A link of the error summary leads to the text area, and a browser may fill it in by itself.
    area.addEventListener("focus", () => view.focus());
    area.addEventListener("input", () => {
      const length = view.state.doc.length;
      if (area.value !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: length, insert: area.value } });
    });
    editors.set(area, view);
  }

  function mark() {
    for (const [area, view] of editors) {
      const doc = view.state.doc;
      const found = [...studio.querySelectorAll(`[data-finding="${area.dataset.code}"]`)].map((item) => {
        const line = doc.line(Math.min(Math.max(1, Number(item.dataset.line)), doc.lines));
        const from = Math.min(line.from + Number(item.dataset.column) - 1, line.to);
        const to = Math.min(from + Number(item.dataset.length), line.to);
        return { from, to, severity: item.dataset.error === "yes" ? "error" : "warning", message: item.querySelector("[data-message]").textContent };
      });
      view.dispatch(cm.setDiagnostics(view.state, found));
    }
  }

  function insert(button) {
    const html = last.dataset.code === "html";
    const text = html ? button.dataset.insertHtml : button.dataset.insert;
    const view = editors.get(last);
    if (view) {
      view.dispatch(view.state.replaceSelection(text), { scrollIntoView: true });
      view.focus();
      return;
    }
    last.focus();
    last.setRangeText(text, last.selectionStart, last.selectionEnd, "end");
    last.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function go(item) {
    const area = studio.querySelector(`[name="${item.dataset.finding}"]`);
    const view = editors.get(area);
    if (!view) { area.focus(); return; }
    const line = view.state.doc.line(Math.min(Math.max(1, Number(item.dataset.line)), view.state.doc.lines));
    view.dispatch({ selection: { anchor: Math.min(line.from + Number(item.dataset.column) - 1, line.to) }, scrollIntoView: true });
    view.focus();
  }

  studio.querySelectorAll("[data-code]").forEach(enhance);
  mark();
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target?.id === "preview") mark(); });
  studio.addEventListener("focusin", (event) => {
    const frame = event.target.closest(".code-editor");
    const area = frame ? frame.previousElementSibling : event.target.closest("[data-code-line]");
    if (area) last = area;
  });
  studio.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (button) insert(button);
    const link = event.target.closest("[data-goto]");
    if (link) { event.preventDefault(); go(link.closest("[data-finding]")); }
  });
})();
