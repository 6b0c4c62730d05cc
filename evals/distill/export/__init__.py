"""The rows of a loop in the formats of other trainers, every row checked against its format before it is written."""
