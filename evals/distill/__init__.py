"""The distillation loop: from the prompts that small tiers failed to a student, a gate and a candidate tier.

Small steps over files, each restartable: capture or import, curate, label, export, train, register, gate. What one
step leaves is what the next one reads: a folder (``folder.py``) of canonical rows (``example.py``) and manifests.
"""
