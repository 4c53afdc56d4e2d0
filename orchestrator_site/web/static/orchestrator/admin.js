"use strict";
/* Show the admin in the colours that were chosen for the whole site; Django's own switch is taken away. */
document.documentElement.dataset.theme = document.currentScript.dataset.theme;
