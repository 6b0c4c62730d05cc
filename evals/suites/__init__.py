"""Suites: what to measure, as data. One YAML file a protocol; ``evals.suite`` reads and runs them."""
