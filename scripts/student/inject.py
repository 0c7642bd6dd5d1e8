"""Puts LoRA layers on a copy of a network through PEFT, which is imported only when that is done."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from scripts.errors import InputError
from scripts.student.adapted import ADAPTER, AdaptedNetwork, lora_layers
from scripts.student.frozen_norm import freeze_norms
from torch import nn

if TYPE_CHECKING:
    from peft import LoraConfig


@dataclass(frozen=True)
class AdapterSpec:
    """What the adapter is made of, and the teacher it belongs to."""

    scope: str
    targets: tuple[str, ...]
    head: str
    rank: int
    alpha: float
    dropout: float
    base_hash: str
    architecture: str


def lora_config(spec: AdapterSpec) -> LoraConfig:
    """The PEFT configuration of an adapter; targets as one anchored expression, for PEFT matches lists by suffix."""
    from peft import LoraConfig
    from scripts.student.transposed import register

    alpha = int(spec.alpha) if spec.alpha == int(spec.alpha) else spec.alpha
    pattern = "|".join(re.escape(name) for name in spec.targets)
    return register(LoraConfig(r=spec.rank, lora_alpha=alpha, lora_dropout=spec.dropout, target_modules=pattern))


def inject(network: nn.Module, *, spec: AdapterSpec, seed: int) -> AdaptedNetwork:
    """A copy of `network` with fresh LoRA layers on the targets of `spec`, everything else frozen.

    Weights that nothing trains are one storage with `network`'s; the head, which restoration changes, is its own.
    """
    from peft import inject_adapter_in_model

    inner = _frozen_copy(network, apart=network.get_submodule(spec.head)).eval()
    # PEFT draws from the global CPU generator and has no other way to be seeded.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inner = inject_adapter_in_model(lora_config(spec), inner, adapter_name=ADAPTER)
    adapted = {name for name, _ in lora_layers(inner)}
    if adapted != set(spec.targets):
        raise InputError(f"the adapter does not fit: {sorted(adapted ^ set(spec.targets))[0]!r} could not be adapted")
    freeze_norms(inner)
    return AdaptedNetwork(inner)


def _frozen_copy(network: nn.Module, *, apart: nn.Module) -> nn.Module:
    """A copy with parameters of its own over the same storage; only those of `apart` are copied."""
    own = {id(parameter) for parameter in apart.parameters()}
    shared = {
        id(parameter): nn.Parameter(parameter.data, requires_grad=False)
        for parameter in network.parameters()
        if id(parameter) not in own
    }
    copied = copy.deepcopy(network, shared)
    for parameter in copied.parameters():
        parameter.requires_grad_(False)
    return copied
