"""Rows of the loop from where texts are: our captures, texts beside our ledger, logs of other gateways.

``texts`` makes one row of a conversation, ``failures`` says how the small tier failed on it, ``sources`` reads.
"""
