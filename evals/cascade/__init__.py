"""What it is worth to try a smaller model, check its answer and climb."""
