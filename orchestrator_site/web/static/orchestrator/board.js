/* What the board does beyond links: keys go from card to card, and a column shows more without a new page. */
"use strict";

(() => {
  const STEPS = {
    ArrowDown: [0, 1], j: [0, 1], ArrowUp: [0, -1], k: [0, -1],
    ArrowRight: [1, 0], l: [1, 0], ArrowLeft: [-1, 0], h: [-1, 0],
  };
  const board = () => document.querySelector("#board");
  const cardsOf = (column) => [...column.querySelectorAll(".task")];
  let last = null; // the card that had the focus: it is taken up again where a change took the focus away

  function current() {
    return document.activeElement.closest("#board .task");
  }

  function focus(card) {
    card.querySelector(".what").focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /* Up and down stay in the column; left and right go to the card at the same height of the next one that has any. */
  function beside(card, [across, along]) {
    const columns = [...board().querySelectorAll(".column")].filter((each) => cardsOf(each).length);
    const column = columns.indexOf(card.closest(".column")), place = cardsOf(columns[column]).indexOf(card);
    if (!across) return cardsOf(columns[column])[place + along];
    const next = columns[column + across];
    return next && cardsOf(next)[Math.min(place, cardsOf(next).length - 1)];
  }

  /* Letters are pressed by site.js, as all keys of pages are; arrows scroll, unless a card has the focus. */

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
    const before = cardsOf(link.closest(".column")).pop();
    const address = new URL(link.href);
    address.hash = "";
    await htmx.ajax("GET", address.href, { source: link, target: "#main", select: "#main", swap: "outerMorph" });
    history.replaceState(history.state, "", address); // so that what follows the changes asks for as many cards
    if (before?.nextElementSibling) focus(before.nextElementSibling);
  });
})();
