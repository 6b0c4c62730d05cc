"""The whole loop on real models, in one command, and what choosing rows by failures is worth.

``orders`` and ``tickets`` are the two tasks, ``teacher`` stands in for a hosted model, ``loop`` goes through the steps.
"""
