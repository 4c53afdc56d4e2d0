/* Starts Swagger UI. A separate file because the content security policy forbids inline scripts. */
"use strict";

(function () {
  const place = document.getElementById("docs");

  function csrfToken() {
    const start = place.dataset.csrfCookie + "=";
    const found = document.cookie.split("; ").find((each) => each.startsWith(start));
    return found ? found.slice(start.length) : "";
  }

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const theme = document.documentElement.dataset.theme;
    document.documentElement.classList.toggle("dark-mode", theme === "dark" || (!theme && dark.matches));
  };
  dark.addEventListener("change", apply);
  apply();

  SwaggerUIBundle({
    url: place.dataset.schema,
    domNode: place,
    deepLinking: true,
    // Opened all at once, it stops at some 140 operations, and shows only the first few.
    docExpansion: "none",
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    // Signed-in users need no access token, but session-authenticated writes need this header.
    requestInterceptor: function (request) {
      if (!request.headers.Authorization && csrfToken()) {
        request.headers["X-CSRFToken"] = csrfToken();
      }
      return request;
    },
  });
})();
