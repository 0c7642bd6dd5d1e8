"""A student of whose weights only those of the last layers are trained."""

from __future__ import annotations

import torch
from scripts.errors import InputError
from scripts.student.scope import ADAPTABLE, head_name, trace
from scripts.student.whole import WholeStudent
from torch import nn


class LastLayersStudent(WholeStudent):
    """A network of its own below which the teacher's weights stay.

    Attributes:
        layers: names of the modules whose weights are trained, in order of execution.
    """

    def __init__(
        self, *, network: nn.Module, teacher: nn.Module, head: str, layers: list[str], live: bool = False
    ) -> None:
        self.layers = layers
        super().__init__(network=network, teacher=teacher, head=head, live=live)

    @classmethod
    def of_last(
        cls, network: nn.Module, *, teacher: nn.Module, sample: torch.Tensor, count: int, live: bool = False
    ) -> LastLayersStudent:
        """Train the last `count` convolutions and linear layers, and what lies between them.

        Raises:
            InputError: the network has fewer.
        """
        layers = last_layers(network, sample, count)
        return cls(network=network, teacher=teacher, head=head_name(network, sample), layers=layers, live=live)

    def trainable(self) -> list[nn.Parameter]:
        """The weights of `layers`."""
        return list(self._own().values())

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """`weight.<name>` of `layers`."""
        return {f"weight.{name}": value for name, value in self._own().items()}

    def _trained_modules(self) -> tuple[str, ...]:
        return tuple(self.layers)

    def _own(self) -> dict[str, nn.Parameter]:
        inner = self.network.inner
        return {
            f"{layer}.{name}" if layer else name: value
            for layer in self.layers
            for name, value in inner.get_submodule(layer).named_parameters(recurse=False)
        }


def last_layers(network: nn.Module, sample: torch.Tensor, count: int) -> list[str]:
    """Names of the layers with weights from the `count`-th last convolution or linear layer on, as they are executed.

    Raises:
        InputError: the network has fewer layers.
    """
    steps, _ = trace(network, sample)
    names = list(dict.fromkeys(step.name for step in steps if any(True for _ in step.module.parameters())))
    modules = {step.name: step.module for step in steps}
    layers = [name for name in names if isinstance(modules[name], ADAPTABLE)]
    if not 1 <= count <= len(layers):
        raise InputError(f"last_layers: {count} is not allowed; this network has {len(layers)} layers with weights")
    return names[names.index(layers[-count]) :]
