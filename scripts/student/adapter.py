"""A copy of the teacher that differs by a low-rank adapter and, after restoration, by its head.

y = base(x) + scale * (alpha / r) * B(A(dropout(x))); A is drawn (Kaiming-uniform, a = sqrt 5), B starts at zero, so
a new student answers as the teacher does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from scripts.errors import InputError
from scripts.student.adapted import ADAPTER, AdaptedNetwork, lora_layers, replace_module, swapped
from scripts.student.copies import release_activations
from scripts.student.frozen_norm import unfreeze_norms
from scripts.student.hashing import architecture_hash, state_hash
from scripts.student.inject import AdapterSpec, inject
from scripts.student.scope import head_name, resolve_scope
from scripts.student.student import Student
from torch import nn


class AdapterStudent(Student):
    """Built by `AdapterStudent.attach`; the network that is passed in is copied and never touched.

    Attributes:
        spec: what the adapter is made of.
        scale: the factor on the adapter's contribution, 1 unless `set_scale` was called.
        head_original: the teacher's head, by which `adapter_off` and `revert` find the way back.
    """

    kind = "adapter"
    scalable = True

    def __init__(self, *, network: AdaptedNetwork, spec: AdapterSpec) -> None:
        super().__init__(network=network, head=spec.head)
        self.spec = spec
        self._off = 0
        self.head_original = {name: value.detach().clone() for name, value in self._head_values().items()}

    @classmethod
    def attach(
        cls, network: nn.Module, *, scope: str, rank: int, alpha: float, dropout: float, sample: torch.Tensor, seed: int
    ) -> AdapterStudent:
        """Copy `network` and put an adapter on the modules of `scope`.

        Args:
            network: the teacher, plain and without adapter.
            scope: see `resolve_scope`.
            rank, alpha: the contribution is scaled by alpha / rank.
            dropout: probability on the adapter's input, in [0, 1).
            sample: an input of the usual size, by which the scope is resolved.
            seed: of A's initial values; the global generator is left as it was.

        Raises:
            InputError: a value out of range, or a scope that matches nothing.
        """
        if rank < 1 or rank != int(rank):
            raise InputError(f"lora_rank: '{rank}': a whole number of at least 1 is needed")
        if not alpha > 0:
            raise InputError(f"lora_alpha: '{alpha}': a number above 0 is needed")
        if not 0 <= dropout < 1:
            raise InputError(f"lora_dropout: '{dropout}': a number in [0, 1) is needed")
        state = network.state_dict()
        spec = AdapterSpec(
            scope=scope,
            targets=tuple(resolve_scope(network, scope, sample)),
            head=head_name(network, sample),
            rank=int(rank),
            alpha=float(alpha),
            dropout=float(dropout),
            base_hash=state_hash(state),
            architecture=architecture_hash(state),
        )
        return cls(network=inject(network, spec=spec, seed=seed), spec=spec)

    # -- modes and parameters

    def trainable(self) -> list[nn.Parameter]:
        """The adapter's A and B, in a fixed order."""
        return [parameter for _, parameter in self._adapter_parameters()]

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """`adapter.<layer>.<matrix>` and `head.<name>`."""
        found = {f"adapter.{name}": value for name, value in self._adapter_parameters()}
        return found | {f"head.{name}": value for name, value in self._head_values().items()}

    # -- strength

    def set_scale(self, factor: float) -> None:
        """Multiply the adapter's contribution by `factor`, relative to alpha / rank; the head is not scaled."""
        self.scale = float(factor)
        for _, layer in lora_layers(self.network.inner):
            layer.set_scale(ADAPTER, self.scale)

    def bake_scale(self) -> None:
        """Fold the factor into B and set it to 1."""
        with torch.no_grad():
            for _, layer in lora_layers(self.network.inner):
                layer.lora_B[ADAPTER].weight.mul_(self.scale)
        self.set_scale(1.0)

    @contextmanager
    def adapter_off(self) -> Iterator[None]:
        """Inside the block the network is the teacher, bit for bit: adapter and trained head are out.

        Take the teacher's logits under `torch.no_grad()`, and not between a forward and its backward pass.
        """
        if self._off:
            yield
            return
        layers = [layer for _, layer in lora_layers(self.network.inner)]
        head = self._head_values()
        self._off += 1
        try:
            for layer in layers:
                layer.enable_adapters(False)
            with swapped([(head[name], self.head_original[name].to(head[name])) for name in head]):
                yield
        finally:
            self._off -= 1
            for layer in layers:
                layer.enable_adapters(True)
            # PEFT's switch also switches gradients; the phase decides about those.
            self._set_gradients()

    # -- ways out

    def merged(self) -> nn.Module:
        """A plain copy with the adapter folded into the weights and the head as it stands, in eval, frozen."""
        from scripts.student.transposed import delta_weight

        def fold(layer: nn.Module) -> None:
            weight = layer.get_base_layer().weight
            weight.data = (weight.data.double() + delta_weight(layer, ADAPTER)).to(weight.dtype)

        return self._plain(fold)

    def revert(self) -> nn.Module:
        """A plain copy of the teacher, bit for bit, the head included, in eval, frozen."""
        network = self._plain(lambda layer: None)
        head = network.get_submodule(self.head)
        for name, value in self.head_original.items():
            parameter = getattr(head, name)
            parameter.data = value.to(parameter, copy=True)
        if state_hash(network.state_dict()) != self.spec.base_hash:
            raise RuntimeError("revert did not give the teacher back: a base weight was changed from outside")
        return network

    def save(self, folder: str | Path) -> None:
        """Write the adapter (PEFT's format), the head and `student.json`; see scripts/student/storage.py."""
        from scripts.student.storage import save_adapter

        save_adapter(self, folder)

    # -- helpers

    def _adapter_parameters(self) -> list[tuple[str, nn.Parameter]]:
        return [
            (f"{name}.{part}", getattr(layer, part)[ADAPTER].weight)
            for name, layer in lora_layers(self.network.inner)
            for part in ("lora_A", "lora_B")
        ]

    def _plain(self, fold: Callable[[nn.Module], None]) -> nn.Module:
        release_activations(self.network)
        network = copy.deepcopy(self.network.inner)
        for name, layer in lora_layers(network):
            fold(layer)
            replace_module(network, name, layer.get_base_layer())
        unfreeze_norms(network)
        for parameter in network.parameters():
            parameter.requires_grad_(False)
            parameter.grad = None
        return network.eval()
