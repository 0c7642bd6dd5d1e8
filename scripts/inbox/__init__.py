"""Requests as they come in: read, answered in the order of their due dates, and kept account of."""
