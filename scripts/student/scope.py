"""Which modules are adapted: read off the shapes that flow through the network, not off its names.

MONAI's names do not say where a decoder begins (`model.1.submodule.1...`). Here it begins after the last module
that works at the lowest spatial resolution.

FlexibleUNet's ResNet encoder takes its shortcut through `.data`: an adapter there changes outputs, but gradients pass
only beside the shortcut, unlike in the standard ResNet.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from scripts.errors import InputError
from torch import nn

ADAPTABLE = (nn.Conv2d, nn.Conv3d, nn.Linear, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Step:
    """One execution of a leaf module: its name, the module, and the number of output pixels (None: no image)."""

    name: str
    module: nn.Module
    pixels: int | None


def trace(network: nn.Module, sample: torch.Tensor) -> tuple[list[Step], torch.Tensor]:
    """Leaf modules in the order in which `sample` (N, C, H, W[, D]) meets them, and the network's output.

    The network runs once in eval mode without gradient, and is left in the modes it was in.

    Raises:
        InputError: the output is no tensor.
    """
    steps: list[Step] = []

    def note(name: str, module: nn.Module, output: object) -> None:
        pixels = None
        if isinstance(output, torch.Tensor) and output.ndim == sample.ndim:
            pixels = math.prod(output.shape[2:])
        steps.append(Step(name=name, module=module, pixels=pixels))

    modes = {module: module.training for module in network.modules()}
    hooks = [
        module.register_forward_hook(lambda m, _args, output, name=name: note(name, m, output))
        for name, module in network.named_modules()
        if not any(module.children())
    ]
    try:
        network.eval()
        with torch.no_grad():
            output = network(sample)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    if not isinstance(output, torch.Tensor):
        raise InputError(f"the network returns {type(output).__name__}; one tensor of logits is needed")
    return steps, output


def resolve_scope(network: nn.Module, scope: str, sample: torch.Tensor) -> list[str]:
    """Full names of the modules to adapt, in order of execution.

    Args:
        network: the plain network, without adapter.
        scope: `all` (every executed Conv2d/3d, ConvTranspose2d/3d and Linear with groups 1 and a weight of its own),
            `decoder+head`, `head`, or a regular expression that is searched for in the names of `all`.
        sample: an input (N, C, H, W[, D]) of the usual size; smaller ones may flatten the bottleneck to one pixel.

    Raises:
        InputError: the expression is malformed or matches nothing; the network has no decoder.
    """
    steps, output = trace(network, sample)
    shared = _shared_weights(network)
    known = _unique(step.name for step in steps if _adaptable(step.module) and id(step.module.weight) not in shared)
    if not known:
        raise InputError("the network has no convolution or linear layer that can be adapted")
    if scope == "all":
        return known
    head = _head(steps)
    if scope == "head":
        return _only(known, {head}, scope)
    if scope == "decoder+head":
        return _only(known, _decoder(steps, classification=output.ndim == 2) | {head}, scope)
    return _only(known, _matching(known, scope), scope)


def head_name(network: nn.Module, sample: torch.Tensor) -> str:
    """Name of the last executed convolution or linear layer."""
    return _head(trace(network, sample)[0])


def _adaptable(module: nn.Module) -> bool:
    # A grouped convolution's low-rank product has no exact merge; it keeps the teacher's weights.
    return isinstance(module, ADAPTABLE) and getattr(module, "groups", 1) == 1


def _shared_weights(network: nn.Module) -> set[int]:
    # A merge would change a tied weight at both places, the adapter only at one.
    owners = Counter(
        id(weight) for module in network.modules() for weight in module.parameters(recurse=False)
    ) + Counter(id(module.weight) for _, module in _other_names(network))
    return {weight for weight, count in owners.items() if count > 1}


def _other_names(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Modules with a weight that are reached by a second name."""
    first = dict(network.named_modules())
    every = network.named_modules(remove_duplicate=False)
    return [(name, module) for name, module in every if name not in first and isinstance(module, ADAPTABLE)]


def _head(steps: list[Step]) -> str:
    names = [step.name for step in steps if isinstance(step.module, ADAPTABLE)]
    if not names:
        raise InputError("the network has no convolution or linear layer to serve as head")
    return names[-1]


def _decoder(steps: list[Step], *, classification: bool) -> set[str]:
    """Names of what runs after the lowest resolution; of a classifier, from the lowest resolution on."""
    # One-pixel maps come from squeeze-and-excitation and global pooling: they are no stage of the network.
    sizes = [step.pixels if step.pixels is not None and step.pixels > 1 else None for step in steps]
    known = [size for size in sizes if size is not None]
    if not known:
        raise InputError("scope decoder+head: no module works on an image; use head, all or a regular expression")
    lowest = [index for index, size in enumerate(sizes) if size == min(known)]
    first = lowest[0] if classification else lowest[-1] + 1
    names = {step.name for step in steps[first:] if isinstance(step.module, ADAPTABLE)}
    if not names:
        raise InputError("scope decoder+head: nothing runs after the lowest resolution; use head, all or a regex")
    return names


def _matching(known: list[str], pattern: str) -> set[str]:
    if not pattern:
        raise InputError("scope is empty; allowed are all, decoder+head, head or a regex over module names")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"scope {pattern!r}: neither all, decoder+head, head nor a valid regex ({error})") from error
    return {name for name in known if compiled.search(name)}


def _only(known: list[str], chosen: set[str], scope: str) -> list[str]:
    names = [name for name in known if name in chosen]
    if not names:
        some = ", ".join(known[:3] + known[-1:])
        raise InputError(
            f"scope {scope!r} matches no module that can be adapted; allowed are all, decoder+head, "
            f"head or a regex over names such as {some}"
        )
    return names


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
