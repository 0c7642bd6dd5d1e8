"""A student all of whose weights are trained; the way back is the teacher's own file."""

from __future__ import annotations

from pathlib import Path

import torch
from scripts.errors import InputError
from scripts.student.adapted import AdaptedNetwork
from scripts.student.hashing import architecture_hash, state_hash
from scripts.student.scope import head_name
from scripts.student.student import Student
from scripts.student.teacher import clone
from torch import nn


class WholeStudent(Student):
    """A network of the teacher's architecture with weights of its own.

    BatchNorm keeps the statistics it came with, unless the student is `live`: then what is trained is in training mode,
    and BatchNorm normalises by each batch as in a plain training.

    Attributes:
        base_hash: digest of the teacher's weights, to which `revert` leads back.
        architecture: digest of names, types and shapes of the weights.
    """

    kind = "network"
    scalable = False

    def __init__(self, *, network: nn.Module, teacher: nn.Module, head: str, live: bool = False) -> None:
        adapted = AdaptedNetwork(clone(network), live=self._trained_modules() if live else ())
        super().__init__(network=adapted, head=head)
        self._teacher = teacher
        state = teacher.state_dict()
        self.base_hash, self.architecture = state_hash(state), architecture_hash(state)
        if architecture_hash(network.state_dict()) != self.architecture:
            raise InputError("student: the network to start from is of another architecture than the teacher")
        self._set_gradients()

    @classmethod
    def start(cls, network: nn.Module, *, teacher: nn.Module, sample: torch.Tensor, live: bool = False) -> WholeStudent:
        """Start from a copy of `network`: the teacher itself, or another model of its architecture.

        Args:
            sample: an input of the usual size, by which the head is found; its values do not matter.

        Raises:
            InputError: another architecture.
        """
        return cls(network=network, teacher=teacher, head=head_name(network, sample), live=live)

    def trainable(self) -> list[nn.Parameter]:
        """Every weight, BatchNorm's affine weights included."""
        return list(self.network.inner.parameters())

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """`weight.<name>`."""
        return {f"weight.{name}": value for name, value in self.network.inner.named_parameters()}

    def state_dict_trainable(self) -> dict[str, torch.Tensor]:
        """Also the statistics of BatchNorm, `buffer.<name>`: a model that was trained anew has its own."""
        buffers = {f"buffer.{name}": value.detach().clone() for name, value in self.network.inner.named_buffers()}
        return super().state_dict_trainable() | buffers

    def load_trainable(self, state: dict[str, torch.Tensor]) -> None:
        own = {f"buffer.{name}": value for name, value in self.network.inner.named_buffers()}
        given = {name: value for name, value in state.items() if name.startswith("buffer.")}
        differing = sorted(own.keys() ^ given.keys())
        differing += [name for name in own if name in given and own[name].shape != given[name].shape]
        if differing:
            raise InputError(f"checkpoint of another student: entry {differing[0]!r} does not fit this {self.kind}")
        super().load_trainable({name: value for name, value in state.items() if name not in given})
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(given[name])

    def set_scale(self, factor: float) -> None:
        """Only 1 is allowed: weights between two networks need not behave between them."""
        if factor != 1.0:
            raise ValueError("a network whose weights are all trained has no scale")

    def bake_scale(self) -> None:
        """Nothing is to be folded in."""

    def merged(self) -> nn.Module:
        return clone(self.network.inner)

    def revert(self) -> nn.Module:
        if state_hash(self._teacher.state_dict()) != self.base_hash:
            raise RuntimeError("revert did not give the teacher back: one of its weights was changed from outside")
        return clone(self._teacher)

    def save(self, folder: str | Path) -> None:
        from scripts.student.storage import save_network

        save_network(self, folder)

    def _trained_modules(self) -> tuple[str, ...]:
        """Names of the modules that are trained; the empty one is that of the whole network."""
        return ("",)

    def _shared(self) -> list[nn.Module]:
        return [self._teacher]

    def _trains_head(self) -> bool:
        return True
