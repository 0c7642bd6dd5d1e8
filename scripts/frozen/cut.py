"""Which submodules depend on no trainable weight: found by running the network, not by tracing it.

torch.fx and torch.export fail or drop connections on MONAI's networks. Running shows which outputs need no gradient;
running again with other trainable weights shows which of them do not move either, because a path through `.data`
(FlexibleUNet's ResNet encoder) hides a dependence from autograd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from scripts.student.adapted import replace_module
from scripts.student.scope import ADAPTABLE
from torch import nn

Tensors = tuple[torch.Tensor, ...]
Run = Callable[[nn.Module, torch.Tensor], torch.Tensor]  # how a network is run: in which precision
WORTH = 20.0  # multiplications a stored byte: below it running a submodule is about as fast as reading its output
NOISE = 0.1  # added to the trainable weights for the second run; any change would do


@dataclass(frozen=True)
class Constant:
    """A submodule whose output is constant: its name, and whether trainable computation reads it.

    Attributes:
        shapes: of its output tensors, without the batch axis.
        dtypes: of the same.
        sequence: list or tuple where the module returns several tensors, None where it returns one.
    """

    name: str
    needed: bool
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[torch.dtype, ...]
    sequence: type | None


class LookUp(nn.Module):
    """Stands in for a constant submodule: answers with a value, and with the submodule's own attributes."""

    def __init__(self, module: nn.Module, value: Any) -> None:
        super().__init__()
        # In a tuple it is no child: its parameters stay out of this module's.
        self.value, self.replaced = value, (module,)

    def forward(self, *_args: Any, **_named: Any) -> Any:
        return self.value

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            # PEFT asks a layer for its weight's type before it calls it.
            return getattr(self.__dict__["replaced"][0], name)


def find_constants(network: nn.Module, sample: torch.Tensor, *, run: Run, worth: float = WORTH) -> tuple[Constant, ...]:
    """The largest submodules whose output does not depend on a weight that requires gradient.

    Args:
        network: in the modes in which it is trained; left as it was.
        sample: an input (N, C, H, W[, D]).
        run: gives the logits of a network, as in training.
        worth: submodules with fewer multiplications a byte of output are left to run.

    Returns:
        In the order of the network. Empty where nothing is trainable, or where everything depends on it.
    """
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not trainable:
        return ()
    with torch.enable_grad():
        first, kinds = _outputs(network, sample, run)
    with perturbed(trainable), torch.no_grad():
        second, _ = _outputs(network, sample, run)
    constant = {
        name: tensors
        for name, tensors in first.items()
        if len(kinds[name]) == 1 and _still(network.get_submodule(name)) and _same(tensors, second[name])
    }
    largest = [name for name in constant if not any(parent in constant for parent in _parents(name))]
    largest = [name for name in largest if _multiplications(network, name, first) >= max(1, worth * _size(first[name]))]
    found = [
        Constant(
            name=name,
            needed=True,
            shapes=tuple(tuple(tensor.shape[1:]) for tensor in constant[name]),
            dtypes=tuple(tensor.dtype for tensor in constant[name]),
            sequence=None if kinds[name][0] is torch.Tensor else kinds[name][0],
        )
        for name in largest
    ]
    return tuple(_with_need(network, sample, found, constant, run))


@contextmanager
def perturbed(parameters: list[nn.Parameter]) -> Iterator[None]:
    """Other values in these parameters inside the block; the very same ones afterwards."""
    own = [parameter.detach().clone() for parameter in parameters]
    try:
        with torch.no_grad():
            for parameter in parameters:
                parameter.add_(NOISE)
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, own, strict=True):
                parameter.copy_(value)


@contextmanager
def looked_up(network: nn.Module, values: Mapping[str, Any]) -> Iterator[None]:
    """Each named submodule answers with its value inside the block and is not run."""
    own = {name: network.get_submodule(name) for name in values}
    try:
        for name, value in values.items():
            replace_module(network, name, LookUp(own[name], value))
        yield
    finally:
        for name, module in own.items():
            replace_module(network, name, module)


def packed(constant: Constant, tensors: Tensors) -> Any:
    """Tensors in the form in which the submodule returns them."""
    return tensors[0] if constant.sequence is None else constant.sequence(tensors)


def flat(output: Any) -> Tensors | None:
    """The tensors of a module's output; None where it is no tensor and no plain sequence of tensors."""
    if isinstance(output, torch.Tensor):
        return (output,)
    if type(output) in (list, tuple) and output and all(isinstance(part, torch.Tensor) for part in output):
        return tuple(output)
    return None


def filler(constant: Constant, batch: int, device: torch.device, value: float) -> Any:
    """An output of the right shapes in which every number is `value`."""
    pairs = zip(constant.shapes, constant.dtypes, strict=True)
    return packed(
        constant, tuple(torch.full((batch, *shape), value, dtype=dtype, device=device) for shape, dtype in pairs)
    )


def _outputs(network: nn.Module, sample: torch.Tensor, run: Run) -> tuple[dict[str, Tensors], dict[str, list[type]]]:
    """Outputs without gradient, by submodule, and what each submodule returned, call by call."""
    outputs: dict[str, Tensors] = {}
    kinds: dict[str, list[type]] = {}

    def note(name: str, output: Any) -> None:
        tensors = flat(output)
        kinds.setdefault(name, []).append(torch.Tensor if isinstance(output, torch.Tensor) else type(output))
        if tensors is not None and not any(tensor.requires_grad for tensor in tensors):
            # A copy: an activation in place may overwrite it.
            outputs[name] = tuple(tensor.detach().clone() for tensor in tensors)

    hooks = [
        module.register_forward_hook(lambda _module, _args, output, name=name: note(name, output))
        for name, module in network.named_modules()
        if name
    ]
    try:
        run(network, sample)
    finally:
        for hook in hooks:
            hook.remove()
    return outputs, kinds


def _with_need(
    network: nn.Module, sample: torch.Tensor, found: list[Constant], values: Mapping[str, Tensors], run: Run
) -> Iterator[Constant]:
    """A constant that only other constants read need not be kept: NaN in its place changes nothing."""
    own = {constant.name: packed(constant, values[constant.name]) for constant in found}
    with torch.no_grad():
        with looked_up(network, own):
            expected = run(network, sample)
        for constant in found:
            spoiled = {**own, constant.name: filler(constant, len(sample), sample.device, float("nan"))}
            with looked_up(network, spoiled):
                needed = not torch.equal(run(network, sample), expected)
            yield Constant(**{**vars(constant), "needed": needed})


def _multiplications(network: nn.Module, name: str, outputs: Mapping[str, Tensors]) -> int:
    """Of the convolutions and linear layers in a submodule, for the images of the sample."""
    total = 0
    for part, module in network.get_submodule(name).named_modules(prefix=name):
        if isinstance(module, ADAPTABLE) and part in outputs:
            output = outputs[part][0]
            total += module.weight.numel() * (output.numel() // output.shape[-1 if output.ndim < 4 else 1])
    return total


def _size(tensors: Tensors) -> int:
    """Bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _still(module: nn.Module) -> bool:
    """Whether nothing in it is in training mode: no dropout draws, no BatchNorm moves."""
    return not any(part.training for part in module.modules())


def _same(one: Tensors, other: Tensors) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
