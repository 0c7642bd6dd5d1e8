"""What is to be forgotten, read strictly."""

from scripts.request.request import GROUNDS, LEVELS, Request, read_request

__all__ = ["GROUNDS", "LEVELS", "Request", "read_request"]
