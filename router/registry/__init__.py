"""What is immutable and named by its hash: prices, artefacts, weights."""
