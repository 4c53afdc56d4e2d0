/* Board: keyboard navigation between cards, and "Show more" without a page load. */
"use strict";

(() => {
  const STEPS = {
    ArrowDown: [0, 1], j: [0, 1], ArrowUp: [0, -1], k: [0, -1],
    ArrowRight: [1, 0], l: [1, 0], ArrowLeft: [-1, 0], h: [-1, 0],
  };
  const board = () => document.querySelector("#board");
  const columnOf = (card) => card.closest(".column").dataset.status;
  const cardsOf = (status) => [...board().querySelectorAll(`[data-status="${status}"] .task`)].filter((card) => card.checkVisibility());
  let last = null; // id of the last focused card, restored when an update drops the focus

  function current() {
    return document.activeElement.closest("#board .task");
  }

  function focus(card) {
    card.querySelector(".what").focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /* Up and down stay in the column, through all of its swimlanes; left and right go to the same row of the next column
     that has cards. */
  function beside(card, [across, along]) {
    const statuses = new Set([...board().querySelectorAll("[data-status]")].map((each) => each.dataset.status));
    const columns = [...statuses].filter((each) => cardsOf(each).length);
    const column = columns.indexOf(columnOf(card)), place = cardsOf(columns[column]).indexOf(card);
    if (!across) return cardsOf(columns[column])[place + along];
    const next = columns[column + across];
    return next && cardsOf(next)[Math.min(place, cardsOf(next).length - 1)];
  }

  /* site.js handles the letter keys. Arrow keys scroll unless a card has the focus. */

  function go(key) {
    const card = current(), from = card ?? (last && document.getElementById(last));
    const to = card ? beside(card, STEPS[key]) : from ?? board().querySelector(".task");
    if (to) focus(to);
  }

  document.addEventListener("click", (event) => {
    const key = event.target.closest("#board-keys [data-key]")?.dataset.key;
    if (key === "m") current()?.querySelector(".act-on")?.click();
    else if (key) go(key);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.defaultPrevented) return;
    if (!event.key.startsWith("Arrow") || !current() || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    go(event.key);
  });

  document.addEventListener("focusin", () => {
    const card = current();
    if (card) last = card.id;
  });

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-more]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const before = cardsOf(link.dataset.more).pop();
    const address = new URL(link.href);
    address.hash = "";
    await htmx.ajax("GET", address.href, { source: link, target: "#main", select: "#main", swap: "outerMorph" });
    history.replaceState(history.state, "", address); // live updates then request the same number of cards
    const cards = cardsOf(link.dataset.more), next = cards[cards.indexOf(before) + 1];
    if (next) focus(next);
  });

  document.querySelector(".jump [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
})();
