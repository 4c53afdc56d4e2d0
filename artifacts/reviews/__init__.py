"""Reviews in the browser: delivered files with inline comments."""
