"use strict";
/* Apply the site's theme to the admin; Django's own switch is removed. */
document.documentElement.dataset.theme = document.currentScript.dataset.theme;
