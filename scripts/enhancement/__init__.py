"""Brightness, contrast and gamma of dark pictures, found for each by a search over several aims."""
