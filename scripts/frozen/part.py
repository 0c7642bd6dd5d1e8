"""A network of which only the trainable part is run: the rest is computed once an image and looked up."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import torch
from scripts.frozen.cache import Stored, Tensors, block_size
from scripts.frozen.cut import WORTH, Constant, Run, filler, find_constants, flat, looked_up, packed
from scripts.student.adapted import statistics_kept
from torch import nn


class _Captured(Exception):
    """All outputs that were wanted are there: the rest of the network need not run."""


class FrozenPart:
    """Logits of a network in training, from stored outputs of its constant submodules.

    They are the logits that the whole network gives, up to the rounding that goes with a batch's size.

    Args:
        network: in its training modes, with the weights that train requiring gradient.
        run: gives the logits of a network, in the precision of training.
        stored: where the outputs are kept.
        worth: see `find_constants`.
    """

    def __init__(self, *, network: nn.Module, run: Run, stored: Stored, worth: float = WORTH) -> None:
        self.network, self.run, self.stored, self.worth = network, run, stored, worth
        self._constants: tuple[Constant, ...] | None = None
        self._last: dict[str, list[bool]] = {}

    @property
    def names(self) -> list[str]:
        """The submodules whose outputs are kept; empty before the first images."""
        return [constant.name for constant in self._constants or () if constant.needed]

    def logits(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        """Logits of `images` (N, C, H, W[, D]), with gradient; `keys` names each of the N images."""
        if self._constants is None:
            with _own_draws(images.device), statistics_kept(self.network):
                self._constants = find_constants(self.network, images[:1], run=self.run, worth=self.worth)
        if not self.names:
            return self.run(self.network, images)
        rows = self.stored.rows(keys, lambda positions: self._compute(images[positions]), block_size(images))
        with looked_up(self.network, self._values([row.to(images.device) for row in rows], images)):
            return self.run(self.network, images)

    @torch.no_grad()
    def _compute(self, images: torch.Tensor) -> Tensors:
        """The needed outputs for some images."""
        outputs: dict[str, Tensors] = {}

        def note(name: str, output: Any) -> None:
            # A copy: an activation in place may overwrite it. Its channels come first or last as the network works.
            self._last[name] = [channels_last(tensor) for tensor in flat(output) or ()]
            outputs[name] = tuple(
                (tensor.movedim(1, -1) if last else tensor).clone()
                for tensor, last in zip(flat(output) or (), self._last[name], strict=True)
            )
            if len(outputs) == len(hooks):
                raise _Captured

        hooks = [
            self.network.get_submodule(name).register_forward_hook(
                lambda _module, _args, output, name=name: note(name, output)
            )
            for name in self.names
        ]
        try:
            with _own_draws(images.device), statistics_kept(self.network), suppress(_Captured):
                self.run(self.network, images)
        finally:
            for hook in hooks:
                hook.remove()
        return tuple(tensor for name in self.names for tensor in outputs[name])

    def _values(self, rows: list[torch.Tensor], images: torch.Tensor) -> dict[str, Any]:
        """What each constant submodule answers; one that nothing trainable reads answers with zeros."""
        values: dict[str, Any] = {}
        left = iter(rows)
        for constant in self._constants or ():
            if constant.needed:
                tensors = tuple(next(left).movedim(-1, 1) if last else next(left) for last in self._last[constant.name])
                values[constant.name] = packed(constant, tensors)
            else:
                values[constant.name] = filler(constant, len(images), images.device, 0.0)
        return values


def channels_last(tensor: torch.Tensor) -> bool:
    """Whether an output (N, C, H, W[, D]) lies in memory channel by channel within a pixel."""
    return tensor.ndim >= 4 and tensor.shape[1] > 1 and tensor.stride(1) == 1


def _own_draws(device: torch.device) -> AbstractContextManager[None]:
    """Leaves the random generators as they were: dropout must not see whether a row was stored or computed."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
