"""Suites: what to measure, as data, one YAML file each. ``evals.suites.read`` reads them, ``evals.runs`` runs them."""
