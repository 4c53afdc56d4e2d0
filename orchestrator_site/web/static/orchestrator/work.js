/* Artifact page: loads parts of the source while scrolling, highlights linked lines, copies the text.
   Without this script each part is its own page, and the URL selects a line. */
"use strict";

(() => {
  const box = document.querySelector("#source");
  const LOADED_AT_ONCE = 2, AHEAD = "1500px";

  /* Parts: a link to a part becomes a placeholder of its height and loads when it comes near. The last one to come
     near loads first, since dragging the scrollbar passes many parts. */

  const near = new Set(), loading = new Map();
  const watch = box && new IntersectionObserver(noted, { rootMargin: `${AHEAD} 0px` });

  function noted(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) near.add(target); else near.delete(target);
    }
    fill();
  }

  function fill() {
    while (loading.size < LOADED_AT_ONCE && near.size) {
      const part = [...near].pop();
      near.delete(part);
      load(part);
    }
  }

  function load(part) {
    if (!part.dataset.src) return Promise.resolve();
    if (!loading.has(part)) loading.set(part, fetched(part).finally(() => { loading.delete(part); fill(); }));
    return loading.get(part);
  }

  async function fetched(part) {
    watch.unobserve(part);
    try {
      const answer = await fetch(part.dataset.src, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      part.innerHTML = await answer.text();
      part.classList.remove("unread");
      part.style.minHeight = "";
      delete part.dataset.src;
      mark();
    } catch { offerRetry(part); }
  }

  function offerRetry(part) {
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Couldn’t load these lines. Try again";
    again.addEventListener("click", () => { part.replaceChildren(); load(part); });
    part.replaceChildren(again);
  }

  function heightOf(part, columns) {
    const { first, last, characters } = part.dataset;
    const lines = last - first + 1;
    const rows = columns ? Math.max(lines, Math.round(lines / 2 + characters / columns)) : lines;
    return rows * parseFloat(getComputedStyle(box).lineHeight);
  }

  function columnsOf() {
    if (!box.classList.contains("wrapped")) return 0;
    const ruler = document.createElement("span");
    ruler.className = "ruler";
    ruler.textContent = "0".repeat(100);
    box.append(ruler);
    const width = ruler.getBoundingClientRect().width / 100;
    ruler.remove();
    return Math.max(1, Math.floor((box.clientWidth - 5 * 16) / width));
  }

  function prepare() {
    const columns = columnsOf();
    for (const link of box.querySelectorAll("a.unread")) {
      const part = document.createElement("pre");
      part.className = link.className;
      part.id = link.id;
      Object.assign(part.dataset, link.dataset);
      part.style.minHeight = `${heightOf(part, columns)}px`;
      part.style.containIntrinsicBlockSize = `auto ${part.style.minHeight}`;
      link.replaceWith(part);
      watch.observe(part);
    }
    const shown = box.querySelector("pre.part:not(.unread)");
    if (shown) shown.style.containIntrinsicBlockSize = `auto ${heightOf(shown, columns)}px`;
  }

  /* Lines: #L5 and #L5-L9 select lines in any part. */

  function selectedLines() {
    const found = /^#L(\d+)(?:-L?(\d+))?$/.exec(location.hash);
    if (!found) return null;
    const first = Number(found[1]), asked = /^(\d+)-(\d+)$/.exec(new URLSearchParams(location.search).get("line"));
    const last = found[2] ?? (asked && Number(asked[1]) === first ? asked[2] : first);
    return { first, last: Math.max(first, Number(last)) };
  }

  function mark() {
    const lines = selectedLines();
    if (!lines) return;
    for (const line of box.querySelectorAll(".here")) line.classList.remove("here");
    for (let number = lines.first; number <= Math.min(lines.last, lines.first + 2000); number += 1) {
      document.getElementById(`L${number}`)?.classList.add("here");
    }
  }

  const holds = (part, number) => Number(part.dataset.first) <= number && number <= Number(part.dataset.last);

  async function show() {
    const lines = selectedLines();
    if (!lines) return;
    const part = [...box.querySelectorAll(".part")].find((each) => holds(each, lines.first));
    if (!part) { openPageOf(lines); return; }
    await load(part);
    mark();
    const line = document.getElementById(`L${lines.first}`);
    if (line) scrollToLine(line);
  }

  function openPageOf(lines) { // the line is on another page of a long file, or doesn't exist
    const address = new URL(location.href), asked = `${lines.first}-${lines.last}`;
    if (address.searchParams.get("line") === asked) return;
    address.searchParams.set("line", asked);
    for (const name of ["part", "offset"]) address.searchParams.delete(name);
    location.replace(address);
  }

  function scrollToLine(line) {
    line.getBoundingClientRect(); // force layout of a part that has just loaded, or Firefox and WebKit don't scroll
    line.scrollIntoView({ block: "center", inline: "nearest" });
    box.scrollLeft = 0;
  }

  function begin() {
    prepare();
    addEventListener("hashchange", show);
    box.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-line]");
      if (!link) return;
      event.preventDefault();
      const number = Number(link.dataset.line), from = event.shiftKey && selectedLines();
      const ends = from ? [from.first, number].sort((one, other) => one - other) : [number];
      getSelection().removeAllRanges();
      history.replaceState(null, "", `#${ends.map((each) => `L${each}`).join("-")}`);
      mark();
    });
    const start = location.hash ? null : box.querySelector(".here") ?? box.querySelector(".part:not(.unread)");
    if (start && start !== box.firstElementChild) scrollToLine(start);
    show();
  }

  if (box) begin();

  /* Copying: the exact text, as it was delivered. */

  async function exactText(address) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await answer.arrayBuffer());
  }

  for (const button of document.querySelectorAll("[data-copy-work]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const says = button.dataset.says ??= button.textContent; // keep the label across double clicks
      try {
        // Pass the promise, not the text: WebKit allows clipboard access only during the click event.
        await navigator.clipboard.write([new ClipboardItem({ "text/plain": exactText(button.dataset.copyWork) })]);
        button.textContent = "Copied";
        button.dataset.copied = "true";
      } catch { button.textContent = "Copy failed"; }
      setTimeout(() => { button.textContent = says; }, 1500);
    });
  }

  /* A new version is announced but doesn't replace the one being read: before the page is fetched again, its URL is
     pinned to the version shown. */

  function pin(event) {
    const shown = document.querySelector("[data-version]"), address = new URL(location.href);
    if (event.target.id !== "live" || !shown || address.searchParams.has("version")) return;
    address.searchParams.set("version", shown.dataset.version);
    history.replaceState(null, "", address);
  }

  for (const name of ["changed", "htmx:sse:error", "htmx:sse:close", "htmx:response:error", "htmx:error"]) {
    document.addEventListener(name, pin, { capture: true });
  }
})();
