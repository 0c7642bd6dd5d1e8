"""What is trained to forget: a copy of the teacher that can be saved, merged into a plain network and taken back."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from scripts.errors import InputError
from scripts.student.adapted import AdaptedNetwork
from scripts.student.copies import release_activations
from torch import nn


class Student(ABC):
    """Either an adapter on the teacher, or a network of its own; the network that it starts from is never touched.

    Attributes:
        network: (N, C, ...) image -> logits; BatchNorm and dropout of the base stay in eval but for what is `live`.
        head: name of the last convolution or linear layer, which restoration trains.
        kind: word by which a saved student is known.
        scalable: whether its distance from the teacher is one factor, `scale`, which may be fitted to the goal.
        scale: that factor; 1 where nothing was fitted.
    """

    kind: str
    scalable: bool

    def __init__(self, *, network: AdaptedNetwork, head: str) -> None:
        self.network, self.head = network, head
        self.scale = 1.0
        self._head_open = False

    # -- modes and parameters

    def train(self, mode: bool = True) -> Student:
        """Turn the adapter's dropout on or off, and what is live in the base; the rest of it stays in eval."""
        self.network.train(mode)
        return self

    def eval(self) -> Student:
        return self.train(False)

    @abstractmethod
    def trainable(self) -> list[nn.Parameter]:
        """What forgetting trains, in a fixed order."""

    @abstractmethod
    def named_parameters(self) -> dict[str, nn.Parameter]:
        """All that any phase may train, by name."""

    def head_parameters(self) -> list[nn.Parameter]:
        """The head's own weight and bias."""
        return list(self._head_values().values())

    def open_head(self) -> None:
        """Train the head alone and hold everything else still (no gradient, no dropout): the restore phase."""
        self._head_open = True
        self._set_gradients()

    def close_head(self) -> None:
        """Back to training what forgetting trains; the head keeps its trained values."""
        self._head_open = False
        self._set_gradients()

    # -- ways out

    def copied(self) -> Student:
        """A copy with weights of its own; what nothing trains is shared with this one."""
        release_activations(self.network)
        return copy.deepcopy(self, {id(thing): thing for thing in self._shared()})

    @abstractmethod
    def merged(self) -> nn.Module:
        """A plain copy as it stands, in eval, frozen."""

    @abstractmethod
    def revert(self) -> nn.Module:
        """A plain copy of the teacher, bit for bit, in eval, frozen."""

    @abstractmethod
    def save(self, folder: str | Path) -> None:
        """Write the student and the way back; `scripts.student.storage.load_student` reads it."""

    # -- state for checkpoints

    def state_dict_trainable(self) -> dict[str, torch.Tensor]:
        """All that any phase may train, and the scale, as tensors: loads with `torch.load(weights_only=True)`."""
        state = {name: value.detach().clone() for name, value in self.named_parameters().items()}
        return state | {"scale": torch.tensor(self.scale, dtype=torch.float64)}

    def load_trainable(self, state: dict[str, torch.Tensor]) -> None:
        """Take over what `state_dict_trainable` gave, in place, so that optimisers keep their parameters.

        Raises:
            InputError: the state is of another student; nothing is changed then.
        """
        own = self.named_parameters()
        differing = sorted((own.keys() | {"scale"}) ^ state.keys())
        differing += [name for name in own if name in state and own[name].shape != state[name].shape]
        if differing:
            raise InputError(f"checkpoint of another student: entry {differing[0]!r} does not fit this {self.kind}")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state[name])
        self.set_scale(float(state["scale"]))

    @abstractmethod
    def set_scale(self, factor: float) -> None:
        """Multiply the student's distance from the teacher by `factor`; the head is not scaled."""

    @abstractmethod
    def bake_scale(self) -> None:
        """Fold the factor into the weights and set it to 1, so that what is saved means the same to any reader."""

    # -- helpers

    def _shared(self) -> list[nn.Module]:
        """What a copy does not need for itself."""
        return []

    def _head_values(self) -> dict[str, nn.Parameter]:
        head = self.network.inner.get_submodule(self.head)
        head = head.get_base_layer() if hasattr(head, "lora_A") else head
        return {name: value for name, value in (("weight", head.weight), ("bias", head.bias)) if value is not None}

    def _set_gradients(self) -> None:
        for parameter in self.trainable():
            parameter.requires_grad_(not self._head_open)
        for parameter in self.head_parameters():
            parameter.requires_grad_(self._head_open or self._trains_head())
        self.network.dropout_allowed = not self._head_open
        self.network.train(self.network.training)

    def _trains_head(self) -> bool:
        """Whether forgetting trains the head's own weights too."""
        return False
