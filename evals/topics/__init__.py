"""How well the ``topics`` guard knows a topic, and the making of its words."""
