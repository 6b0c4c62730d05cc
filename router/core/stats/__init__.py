"""Statistics that serving and measuring share: pure, no clock, no dice."""
