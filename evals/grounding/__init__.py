"""How well the ``grounding`` guard tells answers that rest on their sources."""
