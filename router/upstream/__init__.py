"""The ways to ask a model: one Protocol, one error map."""
