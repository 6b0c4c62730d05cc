"""Evidence before a policy goes live: simulate it on what was recorded, tune it to a promise, judge a candidate."""
