"""Somebody else's bundle: read without running what is not trusted, trained by its own workflow, never changed."""
