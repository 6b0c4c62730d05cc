"""Who makes students: a linear head, LoRA on a local model, a command, a customization job elsewhere."""
