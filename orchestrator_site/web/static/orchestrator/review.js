/* Reviews: navigation between rows and changes, and a comment form below the line it refers to.
   Without this script, each line number links to the form. */
"use strict";

(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const lines = () => all(".lines a[data-line]");
  const row = (line) => line.closest("tr");
  let last = null; // the line that had the focus

  function focus(element, block = "center") {
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block });
  }

  /* Inbox: move between rows. */

  function move(by) {
    const rows = all("[data-row]"), at = rows.indexOf(document.activeElement);
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)];
    if (next) focus(next, "nearest");
  }

  /* Review: move between changes, or between files where nothing is marked as changed. */

  const changes = () => all(".reviewed").flatMap((file) => {
    const first = [], found = lines().filter((line) => file.contains(line));
    const changed = (line) => row(line).classList.contains("came") || one("td.came", row(line));
    found.forEach((line, at) => { if (changed(line) && !(at && changed(found[at - 1]))) first.push(line); });
    return first.length ? first : found.length ? [found[0]] : [one("h2 a", file)];
  });

  function step(by) {
    const from = last?.isConnected ? last : null;
    const before = (each) => from && each.compareDocumentPosition(from) & Node.DOCUMENT_POSITION_FOLLOWING;
    const places = changes();
    const behind = places.filter((each) => each !== from && !before(each));
    const found = by > 0 ? behind[0] : places.filter(before).pop();
    if (found) { last = found; focus(found); }
  }

  /* Comments: the file's form moves below the line; Shift-click selects a range. */

  const form = (file) => one("form[data-remark]", file);

  function openForm(line, end) {
    const file = line.closest(".reviewed"), found = form(file);
    if (!found) return;
    const field = (name) => one(`[name="${name}"]`, found);
    if (end) {
      const ends = [Number(field("line").value || line.dataset.line), Number(line.dataset.line)].sort((a, b) => a - b);
      field("line").value = ends[0];
      field("to").value = ends[1];
    } else {
      field("line").value = line.dataset.line;
      field("to").value = "";
    }
    moveBelow(found, lastLine(file, Number(field("to").value || field("line").value)) || line);
    highlight(file, Number(field("line").value), Number(field("to").value || field("line").value));
    field("text").focus();
  }

  const lastLine = (file, number) => one(`a[data-line="${number}"]`, file);

  function moveBelow(found, line) {
    const file = line.closest(".reviewed");
    one("tr.here", file)?.remove();
    const place = document.createElement("tr"), cell = document.createElement("td");
    place.className = "said here";
    cell.colSpan = all("col", line.closest("table")).length;
    cell.append(found);
    place.append(cell);
    const after = row(line).nextElementSibling?.classList.contains("said") ? row(line).nextElementSibling : row(line);
    after.after(place);
    one("[data-leave]", found).hidden = false;
  }

  function highlight(file, from, to) {
    for (const each of all("tr.chosen")) each.classList.remove("chosen");
    for (const line of all("a[data-line]", file)) {
      const number = Number(line.dataset.line);
      row(line).classList.toggle("chosen", number >= from && number <= to);
    }
  }

  function closeForm(found) {
    const file = found.closest(".reviewed"), place = found.closest("tr.here");
    for (const each of all("tr.chosen")) each.classList.remove("chosen");
    if (!place) { found.closest("details").open = false; return; }
    const line = one("a[data-line]", place.previousElementSibling) || last;
    one(".say .body", file).append(found);
    one("[data-leave]", found).hidden = true;
    place.remove();
    line?.focus({ preventScroll: true });
  }

  function comment() { // on the focused line, else on the visible file
    if (document.activeElement.matches(".lines a[data-line]")) { openForm(document.activeElement, false); return; }
    const files = all(".reviewed");
    const file = files.find((each) => each.getBoundingClientRect().bottom > 100) || files[0];
    const details = one("details.say", file || document);
    if (!details) return;
    details.open = true;
    focus(one("textarea", details));
  }

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    if (at("[data-move]")) move(Number(at("[data-move]").dataset.move));
    if (at("[data-step]")) step(Number(at("[data-step]").dataset.step));
    if (at("[data-say]")) comment();
    const words = at("[data-back]") && one("textarea", at("form"));
    if (words && !words.checkVisibility()) { event.preventDefault(); at("form").classList.add("asks"); words.focus(); }
    if (at(".remark [data-leave]") && at(".remark").dataset.remark && !at("a")) { event.preventDefault(); at(".remark").reset(); closeForm(at(".remark")); }
    const line = at(".lines a[data-line]");
    if (line && !event.ctrlKey && !event.metaKey && !event.button) {
      event.preventDefault();
      last = line;
      openForm(line, event.shiftKey);
    }
  });

  document.addEventListener("focusin", (event) => {
    if (event.target.matches(".lines a[data-line]")) last = event.target;
  });

  document.addEventListener("keydown", (event) => {
    const line = event.target.closest(".lines a[data-line]"), way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (line && way) {
      const found = lines()[lines().indexOf(line) + way];
      if (found) { event.preventDefault(); focus(found, "nearest"); }
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches(".remark textarea, .verdict textarea")) {
      event.preventDefault();
      const sent = event.target.form;
      sent.requestSubmit(one("[data-back], .action", sent));
    }
    if (event.key === "Escape" && event.target.closest(".remark[data-remark]")) closeForm(event.target.closest(".remark"));
    if (event.key === "Escape" && event.target.closest(".verdict")) event.target.blur();
  });

  for (const each of all(".moves [hidden]")) each.hidden = false;
  const asked = one("#asked"); // on phones the files come first
  if (asked && matchMedia("(max-width: 639px)").matches) asked.open = false;
  asked?.classList.remove("fold");
})();
