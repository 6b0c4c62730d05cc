"""From many logged prompts to few rows worth learning from, with everything personal and everything held out removed.

The order matters: rows are masked, the holdout is frozen by content hash, duplicates go, rows are chosen.
What can be told of one row alone is done in ``clean.py``, shard by shard and side by side (``shards.py``); what needs
all rows works on small arrays (``near.py``, ``clusters.py``, ``choose.py``); ``run.py`` puts it together.
"""
