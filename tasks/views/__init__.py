"""The browser's door: one module per family of pages."""
