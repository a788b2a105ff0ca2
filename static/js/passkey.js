// Passkeys: [data-passkey] asks the browser to use ("get") or to make ("create") one, and sends the answer with its form.
(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const ids = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const PARTS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const CHALLENGE_LASTS = 4.5 * 60 * 1000;

  function readable(asked) {
    const found = { ...asked, challenge: bytes(asked.challenge) };
    if (asked.user) found.user = { ...asked.user, id: bytes(asked.user.id) };
    for (const list of ["allowCredentials", "excludeCredentials"]) if (asked[list]) found[list] = ids(asked[list]);
    return found;
  }

  function sendable(credential) {
    const response = { transports: credential.response.getTransports?.() ?? [] };
    for (const part of PARTS) if (credential.response[part]) response[part] = text(credential.response[part]);
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  }

  // The first answer that keeps something gives this browser a session, and the tokens on this page are over.
  function renew(token) {
    document.querySelectorAll("input[name=csrf_token]").forEach((input) => { input.value = token; });
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  }

  function send(button, credential) {
    const form = button.form;
    form.querySelector("input[name=credential]")?.remove();
    if (credential) {
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name: "credential", value: sendable(credential) });
      form.append(input);
    }
    if (button.dataset.passkeyAction) form.action = button.dataset.passkeyAction;
    HTMLFormElement.prototype.submit.call(form); // what only a password needs may be empty
  }

  // What to ask the authenticator; null where the page is left for another.
  async function options(button) {
    const { form, dataset } = button, body = new URLSearchParams();
    for (const name of (dataset.passkeySends ?? "").split(" ").filter(Boolean)) body.set(name, form.elements[name]?.value ?? "");
    const headers = { "X-CSRFToken": form.elements.csrf_token.value, Accept: "application/json" };
    const answer = await fetch(dataset.passkeyOptions, { method: "POST", body, headers });
    if (answer.redirected) { location.assign(answer.url); return null; }
    const told = await answer.json().catch(() => ({}));
    if (told.go) { location.assign(told.go); return null; }
    if (answer.ok) { renew(told.csrf_token); return readable(told.publicKey); }
    if (!dataset.passkeySends) throw new Error(`options: ${answer.status}`);
    send(button, null); // the page that comes says what is wrong with the form
    return null;
  }

  let autofill = null;

  async function run(button) {
    const note = button.parentElement.querySelector("[data-passkey-note]");
    note.hidden = true;
    autofill?.abort();
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      const publicKey = await options(button);
      if (!publicKey) return;
      const credential = await navigator.credentials[button.dataset.passkey]({ publicKey });
      if (credential) send(button, credential);
    } catch (error) {
      const why = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known" }[error.name] ?? "failed";
      note.textContent = document.getElementById("announce").textContent = note.dataset[why];
      note.hidden = false;
      button.disabled = false;
      button.focus();
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  // Browsers that can offer passkeys in the list of a username field do so once somebody turns to it.
  async function offerInField() {
    const button = document.querySelector("[data-passkey=get]");
    const field = document.querySelector("input[autocomplete=username]:not([readonly])");
    if (!button || !field?.form?.querySelector("[autocomplete=current-password]")) return;
    if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
    field.autocomplete = "username webauthn";
    const wait = () => ["pointerdown", "keydown"].forEach((kind) => field.addEventListener(kind, ask, { once: true }));
    async function ask() {
      if (autofill && !autofill.signal.aborted) return;
      autofill = new AbortController();
      const over = setTimeout(() => { autofill.abort(); wait(); }, CHALLENGE_LASTS);
      try {
        const publicKey = await options(button);
        const credential = publicKey && await navigator.credentials.get({ publicKey, mediation: "conditional", signal: autofill.signal });
        if (credential) send(button, credential);
      } catch { /* the list without passkeys is what everybody else has */ } finally { clearTimeout(over); }
    }
    wait();
  }

  document.querySelectorAll("[data-passkey-part]").forEach((part) => { part.hidden = false; });
  document.querySelectorAll("[data-passkey-missing]").forEach((part) => { part.hidden = true; });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-passkey]");
    if (button) run(button);
  });
  addEventListener("pageshow", () => document.querySelectorAll("[data-passkey]:disabled").forEach((button) => { button.disabled = false; }));
  offerInField();
})();
