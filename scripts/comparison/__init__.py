"""Methods side by side on one request: each beside the same retrained models."""
