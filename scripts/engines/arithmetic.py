"""Where, in which precision and in which parts of an image a network runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from scripts import processes
from scripts.errors import InputError
from scripts.tasks.network_block import first_output
from torch import nn


def pick_device(name: str) -> torch.device:
    """The device called `name`; "auto" takes the first GPU, or the process's own of several, and else the CPU.

    Raises:
        InputError: a device that this machine does not have, or one GPU for several processes.
    """
    if name == "auto":
        return torch.device(f"cuda:{processes.local_rank()}" if torch.cuda.is_available() else "cpu")
    if processes.size() > 1 and name != "cpu":
        raise InputError(f"device: '{name}' is one device for {processes.size()} processes; allowed: auto, cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device: '{name}' is not available here; allowed: auto, cpu, cuda:N") from error
    return device


def has_bf16(device: torch.device) -> bool:
    """Whether bf16 runs in hardware there; emulated it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Arithmetic:
    """Device, bf16 autocast and memory format of every forward pass, and how images larger than a patch are answered.

    MONAI's engines autocast for cuda only, so the iterations here enter this instead of `amp`.

    Args:
        amp: bf16 autocast where the hardware has it: True warns where it has not, "auto" does not.
        inferer: MONAI's, called with images and network, for what is larger than a patch.
        patch: lengths of a patch along each axis; empty: every image is run whole.

    Raises:
        InputError: unknown `amp`, or no such device.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        amp: bool | str = False,
        channels_last: bool = False,
        threads: int = 0,
        inferer: Callable[..., Any] | None = None,
        patch: Sequence[int] = (),
    ) -> None:
        self.inferer, self.patch = inferer, tuple(patch)
        self.device = pick_device(device)
        if amp not in (True, False, "auto"):
            raise InputError(f"amp: '{amp}' is unknown; allowed: true, false, auto")
        self.amp = bool(amp) and has_bf16(self.device)
        if amp is True and not self.amp and processes.first():
            warnings.warn(f"amp: {self.device} has no bf16 arithmetic; going on in float32", stacklevel=2)
        self.channels_last = bool(channels_last)
        if threads:
            # Gradients differ in their last bits between thread counts: pinned, a resumed run is bit-equal.
            torch.set_num_threads(int(threads))

    def autocast(self) -> torch.autocast:
        """Context of the forward pass; losses and measures stay outside, in float32."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.amp)

    def place(self, network: nn.Module) -> nn.Module:
        """The network on the device, in the chosen memory format; of several outputs it gives the first."""
        network = network.to(self.device)
        if first_output not in network._forward_hooks.values():
            network.register_forward_hook(first_output)
        if self.channels_last:
            dims = {parameter.dim() for parameter in network.parameters()}
            network = network.to(memory_format=torch.channels_last_3d if 5 in dims else torch.channels_last)
        return network

    def move(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Tensors of a batch on the device."""
        moved = {key: value.to(self.device) if torch.is_tensor(value) else value for key, value in batch.items()}
        if self.channels_last:
            image = moved["image"]
            form = torch.channels_last_3d if image.ndim == 5 else torch.channels_last
            moved["image"] = image.to(memory_format=form)
        return moved

    def at_once(self, images: torch.Tensor) -> bool:
        """Whether images (N, C, H, W[, D]) go through a network in one pass, and not window by window."""
        return not self.patch or tuple(images.shape[2:]) == self.patch

    def logits(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Logits in float32, of whole images or of patches."""
        with self.autocast():
            if self.inferer is None or self.at_once(images):
                return network(images).float()
            # Where windows overlap their logits are averaged: in float32.
            return self.inferer(images, lambda windows: network(windows).float())
