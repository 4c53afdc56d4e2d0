/* What the pages do beyond links and forms: they follow what happens, open forms in place, and listen to keys.
   Everything here is an addition: without it, each link leads to a page and each form posts to one. */
"use strict";

(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const main = () => one("#main");
  const here = () => location.pathname + location.search;

  /* Following: the stream says that something changed, then this page is fetched again and laid over itself. */

  const SHORTEST_MS = 400, POLL_MS = 10000, RETRY_MS = 30000, MINUTE_MS = 60000, PATIENCE_MS = 15000;
  let last = 0, timer = 0, running = false, again = false, missed = false, laid = 0;

  async function refresh() {
    timer = 0;
    if (running) { again = true; return; }
    running = true;
    last = Date.now();
    const asked = laid;
    try {
      const answer = await fetch(here(), { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (answer.redirected) location.reload(); // signed out meanwhile
      else if (answer.ok) {
        const page = parsed(await answer.text());
        if (asked === laid) lay(page); else again = true; // what a form has brought since is newer
      }
    } catch { /* the server is away; the stream says so, and the next change asks again */
    } finally {
      running = false;
      if (again) { again = false; changed(); }
    }
  }

  function changed() {
    if (document.hidden) missed = true; // nobody looks: one look when somebody does
    else if (!timer) timer = setTimeout(refresh, Math.max(0, last + SHORTEST_MS - Date.now()));
  }

  const SAYS = { on: "Live", off: "Connecting", lost: "Connection lost, trying again", poll: "Looking every 10 seconds" };
  let polling = 0, retrying = 0, stream = null;

  function say(state) {
    const live = one("#live");
    if (!live) return;
    live.dataset.state = state;
    one("[data-says]", live).textContent = SAYS[state];
  }

  function follows() {
    clearInterval(polling); clearInterval(retrying);
    if (polling) changed(); // what happened while nobody told us
    polling = retrying = 0;
    say("on");
  }

  function refused() { // there is no stream to be had: look now and then, and ask for one again
    if (!polling) polling = setInterval(changed, POLL_MS);
    if (!retrying) retrying = setInterval(() => htmx.trigger(one("#live"), "reconnect"), RETRY_MS);
    say("poll");
  }

  // Times grow old and leases run out without anybody doing anything.
  setInterval(() => { if (one("#live")) changed(); }, MINUTE_MS);

  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !missed) return;
    missed = false;
    changed();
  });
  // A page that comes back as it was left may be of somebody who has signed out since.
  addEventListener("pageshow", async (event) => {
    if (!event.persisted) return;
    if (one("#live")) changed();
    else if ((await fetch(here(), { credentials: "same-origin" })).redirected) location.reload();
  });

  const isLive = (event) => event.target.id === "live";
  document.addEventListener("changed", (event) => { if (isLive(event)) changed(); });
  document.addEventListener("htmx:sse:after:connection", (event) => {
    if (isLive(event)) { stream = event.detail.connection; follows(); }
  });
  // Firefox breaks a stream as soon as somebody leaves, or downloads, and that is no lost connection: it ends before,
  // and is asked for again where the page stays.
  addEventListener("beforeunload", () => stream?.reader?.cancel());
  document.addEventListener("htmx:sse:error", (event) => { if (isLive(event)) say("lost"); });
  document.addEventListener("htmx:sse:close", (event) => { if (isLive(event)) refused(); });
  document.addEventListener("htmx:finally:request", (event) => {
    if (isLive(event) && event.target.dataset.state !== "on") refused(); // it came to no stream, whatever it came to
  });

  /* What a person has opened stays open when a page is laid over itself, and what a page told stays told. */

  htmx.registerExtension("site", {
    htmx_before_morph_attr: (element, detail) => detail.attrName !== "open",
    htmx_before_morph_node: (element, detail) => !(element.id === "messages" && !detail.newNode.firstElementChild),
  });

  /* Forms of verbs open in a dialog; what comes of them is laid over the page one stands on. */

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) {
      if (event.target.closest("#dialog [data-close]")) { event.preventDefault(); one("#dialog").close(); }
      return;
    }
    event.preventDefault();
    const address = new URL(link.href);
    address.searchParams.set("next", here());
    const answer = await fetch(address, { credentials: "same-origin" }).catch(() => Response.error());
    if (!answer.ok || answer.redirected || !fill(parsed(await answer.text()))) { location.assign(link.href); return; }
    const dialog = one("#dialog");
    if (!dialog.open) dialog.showModal();
    one("[autofocus], button, a", one("#dialog-body"))?.focus();
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-act]");
    if (!form || event.defaultPrevented) return;
    event.preventDefault();
    if (form.dataset.sent) return; // a second click is no second wish
    form.dataset.sent = "true";
    const values = new FormData(form, event.submitter);
    if (values.has("next") && !values.get("next")) values.set("next", here());
    try {
      const answer = await fetch(form.action, { method: "POST", body: values, credentials: "same-origin" });
      came(form, answer, parsed(await answer.text()));
    } catch {
      tell("No answer came from the server. See how it stands before you try again.");
    } finally {
      delete form.dataset.sent;
    }
  });

  function came(form, answer, page) {
    if (form.closest("#dialog")) {
      if ([400, 409].includes(answer.status) && fill(page)) return;
      if (!answer.ok) { tell(one("h1", page)?.textContent ?? "The server could not do it."); return; }
    }
    one("#dialog").close();
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) {
      const told = [...page.querySelectorAll("#messages .note")].map((each) => [each.className, each.textContent]);
      sessionStorage.setItem(TOLD, JSON.stringify(told)); // the server tells a thing once, and has told it here
      location.assign(answer.url);
      return;
    }
    lay(page);
    main().focus({ preventScroll: true });
  }

  const TOLD = "told";

  function tell(words, kind = "note error") {
    const said = document.createElement("p");
    said.className = kind;
    said.textContent = words;
    (one("#dialog")?.open ? one("#dialog-body") : one("#messages")).append(said); // an open form keeps what was typed
  }

  for (const [kind, words] of JSON.parse(sessionStorage.getItem(TOLD) ?? "[]")) tell(words, kind);
  sessionStorage.removeItem(TOLD);

  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

  function fill(page) { // the dialog, with what is to be done on a page
    const found = one("#act", page);
    if (!found) return null;
    one("#dialog-body").replaceChildren(...found.childNodes);
    one("#dialog-body").dispatchEvent(new Event("filled", { bubbles: true }));
    return found;
  }

  function lay(page) { // a page over this one
    if (!one("#main", page) || !one("#site-nav", page)) { location.reload(); return; }
    laid += 1;
    const focused = document.activeElement;
    for (const part of ["#site-nav", "#main"]) {
      htmx.swap({ text: one(part, page).outerHTML, target: one(part), swap: "outerMorph", sourceElement: one(part) });
    }
    if (focused.isConnected && document.activeElement === document.body) focused.focus({ preventScroll: true }); // WebKit loses it where it moves
    reveal(main());
  }

  /* Keys: an element names its key, and the key presses it. They can be switched off (WCAG 2.1.4). */

  const KEYS_OFF = "keys-off";
  const typing = (target) => target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  const reachable = (element) => element.offsetParent !== null || element.closest(".menu");
  const named = (key) => [...document.querySelectorAll("[data-key]")].filter((each) => each.dataset.key === key && reachable(each));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target) || one("dialog[open]")) return;
    if (event.key === "?") { event.preventDefault(); showKeys(); return; }
    if (localStorage.getItem(KEYS_OFF)) return;
    const found = named(event.key).pop();
    if (!found || (event.repeat && (found.href || found.type === "submit"))) return; // a key held down presses once
    event.preventDefault();
    if (typing(found)) { found.focus(); found.select?.(); } else found.click();
  });

  function showKeys() {
    const list = one("#keys dl");
    list.replaceChildren();
    const keys = new Set([...document.querySelectorAll("[data-key]")].map((each) => each.dataset.key));
    for (const each of [...keys].map((key) => named(key).pop()).filter(Boolean)) {
      const key = document.createElement("dt"), what = document.createElement("dd"), kbd = document.createElement("kbd");
      kbd.textContent = each.dataset.key;
      key.append(kbd);
      what.textContent = each.dataset.keySays || each.getAttribute("aria-label") || each.textContent.trim();
      list.append(key, what);
    }
    one("[data-keys-on]").checked = !localStorage.getItem(KEYS_OFF);
    one("#keys").showModal();
  }

  document.addEventListener("keydown", (event) => { // from within a text, too
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.target.tagName !== "TEXTAREA") return;
    event.preventDefault();
    event.target.form?.requestSubmit();
  });

  /* Small things */

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.closest("[data-keys]")) showKeys();
    const copy = target.closest("[data-copy]");
    if (copy) copyFrom(copy);
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
  });

  async function copyFrom(button) {
    const source = one(button.dataset.copy);
    const says = button.dataset.says ??= button.textContent; // pressed twice, it still says what it does
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      button.textContent = "Copied";
    } catch { // not allowed: the keys of the system copy what is selected
      if (source.select) source.select(); else getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = says; }, 1500);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = one("details.menu[open]");
    if (open) { open.open = false; one("summary", open).focus(); }
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-keys-on]")) return;
    if (event.target.checked) localStorage.removeItem(KEYS_OFF); else localStorage.setItem(KEYS_OFF, "1");
  });

  document.addEventListener("change", (event) => { // said before it is sent: a server that refuses it just hangs up
    const { files, dataset } = event.target;
    if (!dataset.largest) return;
    const isTooLarge = [...files].some((file) => file.size > Number(dataset.largest));
    event.target.setCustomValidity(isTooLarge ? dataset.tooLarge : "");
    event.target.reportValidity();
  });

  function reveal(root) { // what works with scripts alone; the clipboard is for secure addresses
    for (const each of root.querySelectorAll("[data-keys]")) each.hidden = false;
    for (const each of root.querySelectorAll("[data-copy]")) each.hidden = !navigator.clipboard;
  }

  reveal(document);
})();
