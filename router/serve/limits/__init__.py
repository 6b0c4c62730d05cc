"""Who may have how much: places at the door, money and tokens, and what keeps a sick upstream from hurting others."""
