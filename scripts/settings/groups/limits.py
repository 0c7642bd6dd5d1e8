"""Limits that several settings have in common: above them a value is a slip, and ends without memory or never."""

SEEDS = 4_294_967_295  # 32 bits, which every generator of random numbers takes
BATCHES = 100_000  # images at a time
STEPS = 1_000_000  # steps, epochs or rounds
PAIRS = 1_000  # models of a pool
