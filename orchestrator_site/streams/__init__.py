"""Events as they happen, to any number of clients, with one look into the database for all of them."""
