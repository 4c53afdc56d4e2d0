/* Progressive enhancement for all pages: live updates, forms in a dialog, keyboard shortcuts.
   Everything works without this script: links open pages and forms post to them. */
"use strict";

(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const main = () => one("#main");
  const here = () => location.pathname + location.search;

  /* Live updates: on every event the page is fetched again and morphed in place. */

  const SHORTEST_MS = 400, RUNNING_MS = 2000, POLL_MS = 10000, RETRY_MS = 30000, MINUTE_MS = 60000, TIMEOUT_MS = 15000;
  let last = 0, timer = 0, running = false, again = false, missed = false, applied = 0;

  async function refresh() {
    timer = 0;
    if (running) { again = true; return; }
    running = true;
    last = Date.now();
    const appliedBefore = applied;
    try {
      const answer = await fetch(here(), { credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (answer.redirected) location.reload(); // signed out since
      else if (answer.ok) {
        const page = parsed(await answer.text());
        if (appliedBefore === applied) apply(page); else again = true; // a form response applied since is newer
      }
    } catch { /* server unreachable: the stream shows it, and the next event tries again */
    } finally {
      running = false;
      if (again) { again = false; changed(); }
    }
  }

  function changed() {
    if (document.hidden) missed = true; // refresh once when the tab becomes visible
    else if (!timer) timer = setTimeout(refresh, Math.max(0, last + SHORTEST_MS - Date.now()));
  }

  const LABELS = { on: "Live", off: "Connecting", lost: "Connection lost. Reconnecting…", poll: "Updating every 10 seconds" };
  let polling = 0, retrying = 0, stream = null;

  function showState(state) {
    const live = one("#live");
    if (!live) return;
    live.dataset.state = state;
    one("[data-says]", live).textContent = LABELS[state];
  }

  function connected() {
    clearInterval(polling); clearInterval(retrying);
    if (polling) changed(); // catch up on what the polling may have missed
    polling = retrying = 0;
    showState("on");
  }

  function disconnected() { // no stream available: poll, and try to reconnect from time to time
    if (!polling) polling = setInterval(changed, POLL_MS);
    if (!retrying) retrying = setInterval(() => htmx.trigger(one("#live"), "reconnect"), RETRY_MS);
    showState("poll");
  }

  // Relative times, lease states and how far a run is change without any event.
  setInterval(() => { if (one("#live")) changed(); }, MINUTE_MS);
  setInterval(() => { if (one("[data-running]")) changed(); }, RUNNING_MS);

  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !missed) return;
    missed = false;
    changed();
  });
  // A page restored from the back/forward cache may belong to a user who has since signed out.
  addEventListener("pageshow", async (event) => {
    if (!event.persisted) return;
    if (one("#live")) changed();
    else if ((await fetch(here(), { credentials: "same-origin" })).redirected) location.reload();
  });

  const isLive = (event) => event.target.id === "live";
  document.addEventListener("changed", (event) => { if (isLive(event)) changed(); });
  document.addEventListener("htmx:sse:after:connection", (event) => {
    if (isLive(event)) { stream = event.detail.connection; connected(); }
  });
  // Firefox aborts the stream on navigation and downloads. Ending it first avoids a false "connection lost"; it is
  // reopened if the page stays.
  addEventListener("beforeunload", () => stream?.reader?.cancel());
  document.addEventListener("htmx:sse:error", (event) => { if (isLive(event)) showState("lost"); });
  document.addEventListener("htmx:sse:close", (event) => { if (isLive(event)) disconnected(); });
  document.addEventListener("htmx:finally:request", (event) => {
    if (isLive(event) && event.target.dataset.state !== "on") disconnected(); // the response was not a stream
  });

  /* Morphing keeps what the user has opened, and messages that were already shown. */

  htmx.registerExtension("site", {
    htmx_before_morph_attr: (element, detail) => detail.attrName !== "open",
    htmx_before_morph_node: (element, detail) => !(element.id === "messages" && !detail.newNode.firstElementChild),
  });

  /* Action forms open in a dialog; the response is morphed into the current page. */

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
    one("[autofocus], :is(button, a):not(header *)", one("#dialog-body"))?.focus(); // not the title, which leads away
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-act]");
    if (!form || event.defaultPrevented) return;
    event.preventDefault();
    if (form.dataset.sent) return; // ignore double clicks
    form.dataset.sent = "true";
    const values = new FormData(form, event.submitter);
    if (values.has("next") && !values.get("next")) values.set("next", here());
    try {
      const answer = await fetch(form.action, { method: "POST", body: values, credentials: "same-origin" });
      handleResponse(form, answer, parsed(await answer.text()));
    } catch {
      notify("No response from the server. Check the current state before you try again.");
    } finally {
      delete form.dataset.sent;
    }
  });

  function handleResponse(form, answer, page) {
    if (form.closest("#dialog")) {
      if ([400, 409].includes(answer.status) && fill(page)) return;
      if (!answer.ok) { notify(one("h1", page)?.textContent ?? "The server couldn’t complete the action."); return; }
    }
    one("#dialog").close();
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) {
      const shown = [...page.querySelectorAll("#messages .note")].map((each) => [each.className, each.textContent]);
      sessionStorage.setItem(MESSAGES, JSON.stringify(shown)); // the server sends each message only once
      location.assign(answer.url);
      return;
    }
    apply(page);
    main().focus({ preventScroll: true });
  }

  const MESSAGES = "messages";

  function notify(text, kind = "note error") {
    const note = document.createElement("p");
    note.className = kind;
    note.textContent = text;
    (one("#dialog")?.open ? one("#dialog-body") : one("#messages")).append(note); // an open form keeps its input
  }

  for (const [kind, text] of JSON.parse(sessionStorage.getItem(MESSAGES) ?? "[]")) notify(text, kind);
  sessionStorage.removeItem(MESSAGES);

  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

  function fill(page) { // the dialog, with the page's action form
    const found = one("#act", page);
    if (!found) return null;
    one("#dialog-body").replaceChildren(...found.childNodes);
    one("#dialog-body").dispatchEvent(new Event("filled", { bubbles: true }));
    return found;
  }

  function apply(page) { // morph a fetched page into this one
    if (!one("#main", page) || !one("#site-nav", page)) { location.reload(); return; }
    applied += 1;
    const focused = document.activeElement;
    for (const part of ["#site-nav", "#project-tabs", "#main", ".bottom"]) {
      if (one(part) && one(part, page)) htmx.swap({ text: one(part, page).outerHTML, target: one(part), swap: "outerMorph", sourceElement: one(part) });
    }
    if (focused.isConnected && document.activeElement === document.body) focused.focus({ preventScroll: true }); // WebKit drops the focus of moved elements
    reveal(main());
  }

  /* Shortcuts: `data-key` names the key that clicks an element. Users can turn them off (WCAG 2.1.4). */

  const KEYS_OFF = "keys-off";
  const typing = (target) => target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  const reachable = (element) => element.checkVisibility() || element.closest(".menu");
  const named = (key) => [...document.querySelectorAll("[data-key]")].filter((each) => each.dataset.key === key && reachable(each));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target) || one("dialog[open]")) return;
    if (event.key === "?") { event.preventDefault(); showKeys(); return; }
    if (localStorage.getItem(KEYS_OFF)) return;
    const found = named(event.key).pop();
    if (!found || (event.repeat && (found.href || found.type === "submit"))) return; // ignore key repeat
    event.preventDefault();
    // What cannot be undone is only focused: Enter does it.
    if (typing(found) || found.matches("[data-key-focus]")) { found.focus(); found.select?.(); } else found.click();
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
    one("#keys .primary").focus(); // not the switch, which a space would turn off
  }

  document.addEventListener("keydown", (event) => {
    const found = (event.ctrlKey || event.metaKey) && one(`[data-key-ctrl="${CSS.escape(event.key)}"]`);
    if (!found || !found.checkVisibility()) return;
    event.preventDefault();
    found.focus();
    found.select();
  });

  document.addEventListener("keydown", (event) => { // Ctrl+Enter works inside a textarea too
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.target.tagName !== "TEXTAREA") return;
    event.preventDefault();
    event.target.form?.requestSubmit();
  });

  /* A row whose title is its link: a click on its other words follows it, unless it ends a selection. */

  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-linked]"), selected = getSelection();
    if (!row) return;
    const selects = !selected.isCollapsed && row.contains(selected.anchorNode);
    const title = one("a", row), link = event.target.closest("a, button");
    if (selects && link === title) event.preventDefault();
    else if (!selects && !link) title.dispatchEvent(new MouseEvent("click", event));
  });

  /* Menus, copying, file size checks */

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.matches("dialog") && !("closedBy" in target)) target.close(); // its backdrop, in browsers without closedby
    if (target.closest("[data-keys]")) showKeys();
    const copy = target.closest("[data-copy]");
    if (copy) copyFrom(copy);
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
  });

  async function copyFrom(button) {
    const source = one(button.dataset.copy);
    const says = button.dataset.says ??= button.textContent; // keep the label across double clicks
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      button.textContent = "Copied";
      button.dataset.copied = "true";
    } catch { // clipboard not allowed: select the text so that the user can copy it
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

  document.addEventListener("change", (event) => { // check before sending: the server just drops oversized uploads
    const { files, dataset } = event.target;
    if (!dataset.largest) return;
    const isTooLarge = [...files].some((file) => file.size > Number(dataset.largest));
    event.target.setCustomValidity(isTooLarge ? dataset.tooLarge : "");
    event.target.reportValidity();
  });

  function reveal(root) { // controls that need scripts; the clipboard needs a secure context
    for (const each of root.querySelectorAll("[data-keys]")) each.hidden = false;
    for (const each of root.querySelectorAll("[data-copy]")) each.hidden = !navigator.clipboard;
  }

  document.cookie = `zone=${Intl.DateTimeFormat().resolvedOptions().timeZone};path=/;max-age=31536000;samesite=lax`; // for times of the server
  reveal(document);
})();
