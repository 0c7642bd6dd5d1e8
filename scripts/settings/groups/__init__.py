"""The settings, one file a group."""
