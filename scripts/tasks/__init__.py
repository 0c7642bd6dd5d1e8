"""What a model is asked to do: its network, its per-sample score and its measures."""

from scripts.tasks.blocks import NAMES as NETWORKS
from scripts.tasks.networks import build_network
from scripts.tasks.registry import build_task
from scripts.tasks.task import Task

__all__ = ["NETWORKS", "Task", "build_network", "build_task"]
