"""What the student is asked: one forget or retain loss per file, found by name in `registry`."""
