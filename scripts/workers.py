"""Long tasks side by side: processes of this machine, or Ray over several machines that share the folders."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from scripts.errors import InputError

BACKENDS = ("local", "ray")
CLUSTER = "RAY_ADDRESS"  # Ray's own name for the cluster that is there; without it one is started on this machine
_LOST = "what is whole is kept, and the same command again goes on from there"


class Task(Protocol):
    """What can be sent to another process; it is resumable, and does nothing where it is done."""

    def run(self) -> None:
        """Do it."""


def run_tasks(tasks: Sequence[Task], *, workers: int = 1, backend: str = "local") -> None:
    """Run all tasks, `workers` side by side; the first error ends the run, and what waits is not begun.

    Args:
        backend: "local" processes, or "ray": on the cluster of the environment variable RAY_ADDRESS, where every
            free processor takes a task, else on `workers` processors of this machine.

    Raises:
        InputError: an unknown backend; Ray is not installed or its cluster does not answer; a process was ended from
            outside.
    """
    if backend not in BACKENDS:
        raise InputError(f"reference_backend: '{backend}' is not one of {', '.join(BACKENDS)}")
    if backend == "ray":
        _on_ray(tasks, workers=workers)
    elif workers <= 1 or len(tasks) <= 1:
        course = _Course(len(tasks))
        for task in tasks:
            task.run()
            course.tell()
    else:
        _in_processes(tasks, workers=workers)


class _Course:
    """How many of several models are made, and how long the others will take at this pace."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.start = total, 0, time.monotonic()

    def tell(self) -> None:
        """One more is made."""
        self.done += 1
        if self.done < self.total:
            left = (time.monotonic() - self.start) / self.done * (self.total - self.done)
            print(f"{self.done} of {self.total} made, about {left / 60:.1f} minutes left", flush=True)


def _in_processes(tasks: Sequence[Task], *, workers: int) -> None:
    # Fresh processes: a forked one would share the locks and threads of torch.
    pool = ProcessPoolExecutor(max_workers=min(workers, len(tasks)), mp_context=get_context("spawn"))
    try:
        course = _Course(len(tasks))
        # In the order in which they end: an error is not to wait for a longer task that was begun before it.
        for future in as_completed([pool.submit(_run, task, os.getcwd()) for task in tasks]):
            future.result()
            course.tell()
    except BrokenProcessPool as error:
        raise InputError(
            f"reference_workers: {workers}: a process was ended from outside, as the system does where memory is short;"
            f" {_LOST}, with fewer workers where memory was short"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _on_ray(tasks: Sequence[Task], *, workers: int) -> None:
    # Ray would report its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "reference_backend: 'ray' is not installed (pip install ray); 'local' needs nothing"
        ) from error
    if not tasks:
        return
    own = not ray.is_initialized()
    if own:
        _join(ray, workers=workers)
    try:
        # A lost worker's task is begun again by Ray, and goes on from its own last checkpoint.
        remote = ray.remote(num_cpus=1, max_retries=3)(_run)
        course = _Course(len(tasks))
        waiting = [remote.remote(task, os.getcwd()) for task in tasks]
        while waiting:
            done, waiting = ray.wait(waiting)
            ray.get(done)
            course.tell()
    except ray.exceptions.RayTaskError as error:
        # Ray's own message has the worker's traceback in it.
        raise error.cause from error
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        raise InputError(f"reference_backend: ray lost a worker for good ({type(error).__name__}); {_LOST}") from error
    finally:
        if own:
            ray.shutdown()


def _join(ray: Any, *, workers: int) -> None:
    """Join the cluster that is there, or start one of this machine alone."""
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH", "")])]
    about: dict[str, Any] = {
        # A worker finds this package where the driver has it: the machines share the folders.
        "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}},
        "log_to_driver": False,
        "logging_level": "ERROR",
    }
    if not os.environ.get(CLUSTER):
        about |= {"num_cpus": max(1, workers), "include_dashboard": False}
    try:
        ray.init(**about)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"reference_backend: ray cannot be reached at {CLUSTER}={os.environ.get(CLUSTER, '')} ({error}); start the"
            " cluster, or unset it"
        ) from error


def _run(task: Task, folder: str) -> None:
    # Settings may name folders relative to the one that the command was given in.
    os.chdir(folder)
    task.run()
