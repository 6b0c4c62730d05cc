"""Roll-outs on simulated days: how often a canary goes back, rightly or falsely, and who has seen it by then."""
