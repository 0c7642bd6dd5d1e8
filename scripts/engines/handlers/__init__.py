"""Handlers of every engine: each attaches to ignite events."""

from scripts.engines.handlers.best import KeepBest
from scripts.engines.handlers.early_stop import EarlyStop
from scripts.engines.handlers.given import given
from scripts.engines.handlers.goal import StopAtGoal
from scripts.engines.handlers.history import History
from scripts.engines.handlers.low_memory import LowMemory
from scripts.engines.handlers.progress import Progress
from scripts.engines.handlers.resume import Resume, StudentState
from scripts.engines.handlers.seed import EpochSeed
from scripts.engines.handlers.validation import Validation

__all__ = [
    "EarlyStop",
    "EpochSeed",
    "History",
    "KeepBest",
    "LowMemory",
    "Progress",
    "Resume",
    "StopAtGoal",
    "StudentState",
    "Validation",
    "given",
]
