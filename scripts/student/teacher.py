"""The teacher: trained weights in a network that is never trained again."""

from __future__ import annotations

import copy
import pickle
import pickletools
from collections.abc import Mapping
from pathlib import Path

import torch
from scripts.errors import InputError
from scripts.student.copies import release_activations
from torch import nn

# What torch's restricted unpickler says when a file asks for something other than tensors and containers.
_REFUSALS = ("Unsupported global", "Trying to ")
_CODE = {"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"}


def freeze(network: nn.Module) -> nn.Module:
    """Put `network` in eval mode with no gradient on any parameter; returns it."""
    network.eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def clone(network: nn.Module) -> nn.Module:
    """A frozen copy that shares no tensor with `network`."""
    release_activations(network)
    return freeze(copy.deepcopy(network))


def load_teacher(network: nn.Module, path: str | Path, *, device: str | torch.device = "cpu") -> nn.Module:
    """Load the weights at `path` into `network`, strictly, and freeze it.

    Args:
        network: the plain network, as the config builds it; filled in place.
        path: `.safetensors`, or a torch file with a plain state dict or `{"model": state_dict}`.
        device: where the network goes.

    Raises:
        InputError: missing, truncated or foreign file; a pickle that contains code; another architecture.
    """
    state = read_state(path)
    _check_state(network.state_dict(), state, path)
    network.load_state_dict(state, strict=True)
    return freeze(network.to(device))


def read_state(path: str | Path) -> dict[str, torch.Tensor]:
    """The state dict in a file, on the CPU; no code in the file is ever run."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a checkpoint file is needed")
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: holds no state dict (a plain one, or one under the key 'model')")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise InputError(f"{path}: entry {name!r} is no tensor; a plain state dict or {{'model': ...}} is needed")
    return dict(content)


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if any(mark in str(error) for mark in _REFUSALS) or _is_calling_pickle(path):
            raise InputError(f"{path}: contains code, not only weights; it was not run. Save a state dict") from error
        raise InputError(f"{path}: not a readable checkpoint (truncated or another format)") from error
    except PermissionError as error:
        raise InputError(f"{path}: may not be read (permission denied)") from error
    # torch raises whatever its zip and pickle readers meet in a damaged file; each of these means just that.
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: not a readable checkpoint (truncated or another format)") from error


def _is_calling_pickle(path: Path) -> bool:
    """Whether the file is a whole pickle of any protocol that names or calls something; read, never run."""
    try:
        with path.open("rb") as content:
            return any([code.name in _CODE for code, _, _ in pickletools.genops(content)])
    except (ValueError, EOFError, OSError, IndexError, OverflowError, MemoryError):
        return False


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file (truncated or another format)") from error


def _check_state(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor], path: str | Path) -> None:
    for name, tensor in expected.items():
        if name not in found:
            raise InputError(f"{path}: made for another architecture: {name!r} is missing")
        if found[name].shape != tensor.shape:
            have, want = tuple(found[name].shape), tuple(tensor.shape)
            raise InputError(f"{path}: made for another architecture: {name!r} has shape {have}, needed is {want}")
    for name in found:
        if name not in expected:
            raise InputError(f"{path}: made for another architecture: {name!r} is unexpected")
    for name, tensor in found.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{path}: {name!r} holds values that are not finite")
