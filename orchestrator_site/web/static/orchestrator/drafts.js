/* Words that are typed and not sent yet stay in this tab: over a reload, a closed form, and signing in again.
   They are one person's, and go with what is sent or left, and with signing out. */
"use strict";

(() => {
  const who = document.body.dataset.user;
  const name = (field) => `${who} ${new URL(field.form.getAttribute("action"), location).pathname} ${field.dataset.keep}`;
  const fields = (root) => root ? [...root.querySelectorAll("textarea[data-keep]")] : [];
  const all = (kind) => Object.keys(sessionStorage).filter((key) => key.startsWith(who ? `${kind} ${who} ` : kind));

  function keep(field) {
    sessionStorage.removeItem(`sent ${name(field)}`);
    if (!field.value) { forget(field); return; }
    try { sessionStorage.setItem(`draft ${name(field)}`, field.value); } catch { /* longer than a tab keeps */ }
  }

  function forget(field) {
    for (const kind of ["draft", "sent"]) sessionStorage.removeItem(`${kind} ${name(field)}`);
  }

  function restore(root) { // what a server has put into a field is newer, or comes from here
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

  // What was sent came to nothing where it led to signing in or to an error; elsewhere it is done.
  const isRefused = !who || document.querySelector(".problem");
  for (const key of all("sent")) {
    sessionStorage.removeItem(key);
    if (!isRefused) sessionStorage.removeItem(key.replace("sent", "draft"));
  }
  restore(document);
})();
