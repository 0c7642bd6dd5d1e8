"""The front door: makes the shared parts of a run from its settings, each when it is first asked for."""

from scripts.workspace.workspace import Workspace

__all__ = ["Workspace"]
