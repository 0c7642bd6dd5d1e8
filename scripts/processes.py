"""Several processes at one run: torchrun starts them, each holds the same weights and its part of every batch."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from scripts.errors import InputError, disk_full, user_error
from torch import nn

NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
PATIENCE = timedelta(hours=6)  # the others wait while the first process searches look-alikes or evaluates

Value = TypeVar("Value")


class Processes:
    """The processes that torchrun started for a run; one process alone unless `distributed` is set.

    Args:
        distributed: whether there are others to join.
        device: setting of the run; "cpu" keeps to gloo on a machine with GPUs.

    Raises:
        InputError: `distributed` is not true or false.
    """

    def __init__(self, *, distributed: bool, device: str = "auto") -> None:
        if not isinstance(distributed, bool):
            raise InputError(f"distributed: '{distributed}' is not True or False")
        self.distributed = distributed
        self.device = str(device)
        self.joined = False

    def join(self) -> None:
        """Find the others; does nothing where a workflow around this one did.

        Raises:
            InputError: torchrun's environment is missing, or is there and not asked for.
        """
        if not self.distributed:
            if _by_torchrun() and int(os.environ["WORLD_SIZE"]) > 1:
                raise InputError(
                    f"distributed: False, but torchrun started {os.environ['WORLD_SIZE']} processes, which would write"
                    " the same files; lay configs/multi_gpu_train.yaml on the workflow file, or start without torchrun"
                )
            return
        if dist.is_initialized():
            return
        missing = [name for name in NEEDED if not os.environ.get(name)]
        if missing:
            raise InputError(
                f"distributed: True, but the environment variables {', '.join(missing)} are not set; start with"
                " torchrun --nproc_per_node=N -m monai.bundle run ..., or set distributed: False"
            )
        gpu = self.device != "cpu" and torch.cuda.is_available()
        if gpu:
            torch.cuda.set_device(_own_gpu())
        # gloo carries plain values and the waiting, and on the CPU all; NCCL the tensors on GPUs.
        hook = sys.excepthook
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=PATIENCE)
        # torch lays its own on top, which swallows what ours prints before it exits.
        sys.excepthook = hook
        self.joined = True
        if not first():
            logging.disable(logging.INFO)

    def leave(self) -> None:
        """Part from the others, where `join` of this object found them."""
        if self.joined:
            dist.destroy_process_group()
            logging.disable(logging.NOTSET)
        self.joined = False


def _by_torchrun() -> bool:
    return bool(os.environ.get("TORCHELASTIC_RUN_ID"))


def _own_gpu() -> int:
    own, found = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    # Refused in all processes alike: only the first of a machine speaks before they have joined.
    wanted = int(os.environ.get("LOCAL_WORLD_SIZE", own + 1))
    if wanted > found:
        raise InputError(f"--nproc_per_node: {wanted} processes for {found} GPUs; allowed is one a GPU, or device: cpu")
    return own


def size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def local_rank() -> int:
    """The number of this process on its machine: that of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if dist.is_initialized() else 0


def first() -> bool:
    """Whether this is the process that writes and prints."""
    return rank() == 0


# -- plain values


def gathered(value: Value) -> list[Value]:
    """The value of each process, in their order; all wait for all."""
    if size() == 1:
        return [value]
    found: list[Any] = [None] * size()
    dist.all_gather_object(found, value)
    return found


def agreed(value: Value) -> Value:
    """The value of the first process, on all: no decision may differ by a last bit."""
    if size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def once(action: Callable[[], Value]) -> Value:
    """What `action` gives, run in the first process alone; the others wait, and fail where it fails.

    All wait before it as well, so that nothing is written while another process still reads.
    """
    if size() == 1:
        return action()
    gathered(None)
    result, error = None, None
    if first():
        try:
            result = action()
        except Exception as caught:
            error = caught
    result, told = agreed((result, _portable(error)))
    if error is not None:
        raise error
    if told is not None:
        raise told
    return result  # type: ignore[return-value]


def _portable(error: Exception | None) -> Exception | None:
    """The part of an error that the other processes can report."""
    if error is None:
        return None
    return user_error(error) or disk_full(error) or RuntimeError(f"the first process failed: {error!r}")


# -- tensors


def summed(tensor: torch.Tensor) -> torch.Tensor:
    """The sum over the processes, without gradient; of one process, the tensor itself."""
    if size() == 1:
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Each gradient becomes the sum over the processes, whose losses carry their shares of the batch.

    Not DistributedDataParallel: it listens to the forward pass of its wrapper and averages with equal weights. Here
    a step runs the student's network with submodules replaced by look-ups, and a process's share of a batch differs
    by cohort and by step.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if size() == 1 or not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


# -- errors


def claim(line: str, code: int) -> bool:
    """Whether it is this process that prints the error `line`: the first of all that meet it.

    An error of one process alone is printed too: which process that is nobody knows beforehand.
    """
    if not dist.is_initialized():
        # Before they have joined all read the same settings.
        return not _by_torchrun() or os.environ.get("LOCAL_RANK", "0") == "0"
    try:
        store = dist.distributed_c10d._get_default_store()
        store.set("failed", str(code))
        return store.add(f"error {hashlib.sha256(line.encode()).hexdigest()}", 1) == 1
    except RuntimeError:
        return True


def failed_elsewhere() -> int | None:
    """The exit code with which another process ended the run; None where none did."""
    if size() == 1:
        return None
    try:
        store = dist.distributed_c10d._get_default_store()
        return int(store.get("failed")) if store.check(["failed"]) else None
    except RuntimeError:
        return None
