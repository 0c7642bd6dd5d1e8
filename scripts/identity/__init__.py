"""What a run, a model, a data set and a procedure are: the one answer to whether something is still the same."""

from scripts.identity.code import code_identity
from scripts.identity.content import ContentDigests
from scripts.identity.identity import Identity, file_digest

__all__ = ["ContentDigests", "Identity", "code_identity", "file_digest"]
