"""Packaging: assembles the installable bundles from this one source. Nothing imports it."""
