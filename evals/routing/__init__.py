"""How good the routing is: on known ground, on unknown ground, and by the field's own protocols."""
