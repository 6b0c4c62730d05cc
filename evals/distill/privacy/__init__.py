"""Whether personal data or a held-out row gets through the loop: seeded, followed through every step, looked for."""
