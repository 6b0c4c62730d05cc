"""How fast and how right the ``reasoning`` guard is."""
