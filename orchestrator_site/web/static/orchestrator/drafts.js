/* Drafts: unsent text survives reloads, closed forms and signing in again, in this tab only.
   Drafts belong to one user and are deleted when the form is sent or cancelled, and on sign-out. */
"use strict";

(() => {
  const who = document.body.dataset.user;
  const name = (field) => `${who} ${new URL(field.form.getAttribute("action"), location).pathname} ${field.dataset.keep}`;
  const fields = (root) => root ? [...root.querySelectorAll("textarea[data-keep]")] : [];
  const all = (kind) => Object.keys(sessionStorage).filter((key) => key.startsWith(who ? `${kind} ${who} ` : kind));

  function keep(field) {
    sessionStorage.removeItem(`sent ${name(field)}`);
    if (!field.value) { forget(field); return; }
    try { sessionStorage.setItem(`draft ${name(field)}`, field.value); } catch { /* over the storage quota */ }
  }

  function forget(field) {
    for (const kind of ["draft", "sent"]) sessionStorage.removeItem(`${kind} ${name(field)}`);
  }

  function restore(root) { // a value sent by the server is newer, or is the draft itself
    for (const field of fields(root)) {
      if (!field.value && !sessionStorage.getItem(`sent ${name(field)}`)) {
        field.value = sessionStorage.getItem(`draft ${name(field)}`) ?? "";
      }
    }
  }

  document.addEventListener("input", (event) => { if (event.target.matches("textarea[data-keep]")) keep(event.target); });
  document.addEventListener("filled", (event) => restore(event.target));
  document.addEventListener("reset", (event) => fields(event.target).forEach(forget));
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close], [data-leave]")) fields(event.target.closest("form")).forEach(forget);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-sign-out]")) for (const key of [...all("draft"), ...all("sent")]) sessionStorage.removeItem(key);
    for (const field of fields(event.target)) {
      keep(field);
      if (field.value) sessionStorage.setItem(`sent ${name(field)}`, "yes");
    }
  });

  // After a submit: keep the draft if it ended at the sign-in page or an error, else it was accepted.
  const isRejected = !who || document.querySelector(".problem");
  for (const key of all("sent")) {
    sessionStorage.removeItem(key);
    if (!isRejected) sessionStorage.removeItem(key.replace("sent", "draft"));
  }
  restore(document);
})();
