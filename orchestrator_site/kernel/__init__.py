"""What every part of the product builds on; nothing here knows any of them."""
