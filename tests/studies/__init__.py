"""Long measurements behind docs/RESULTS.md: `make study`."""
