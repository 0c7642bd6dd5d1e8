"""A student on disk: PEFT's adapter folder, the head's two states, and a record that binds them together.

| file | holds |
|---|---|
| adapter_config.json, adapter_model.safetensors | the adapter in PEFT's format |
| head.safetensors | `trained.*` and `original.*`: PEFT keeps only the trained one, and no way back |
| student.json | scope, rank, alpha, the teacher's digest, versions, and the digests of the files above; written last |
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from scripts.errors import InputError
from scripts.files import read_json, reading, write_bytes, write_json, write_text
from scripts.student.hashing import architecture_hash, state_hash
from scripts.student.inject import AdapterSpec, inject, lora_config

if TYPE_CHECKING:
    from scripts.student.student import Student

CONFIG, ADAPTER_FILE, HEAD = "adapter_config.json", "adapter_model.safetensors", "head.safetensors"
RECORD = "student.json"
FORMAT = 1
REMEDY = "run forget again, in another output_dir"


def save_student(student: Student, folder: str | Path) -> None:
    """Write the four files, each whole or absent; the scale is folded in only in what is written."""
    from safetensors.torch import save

    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; a folder for the adapter is needed")
    state = student.state_dict_trainable()
    adapter, head = {}, {}
    for name, value in state.items():
        kind, _, rest = name.partition(".")
        if kind == "adapter":
            scaled = value * student.scale if rest.endswith("lora_B") and student.scale != 1.0 else value
            adapter[f"base_model.model.{rest}.weight"] = scaled.cpu().contiguous()
        elif kind == "head":
            head[f"trained.{rest}"] = value.cpu().contiguous()
    head |= {f"original.{name}": value.cpu().contiguous() for name, value in student.head_original.items()}
    config = lora_config(student.spec).to_dict() | {"inference_mode": True}
    write_text(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True, default=sorted) + "\n")
    write_bytes(folder / ADAPTER_FILE, save(adapter, metadata={"format": "pt"}))
    write_bytes(folder / HEAD, save(head, metadata={"format": "pt"}))
    record = dataclasses.asdict(student.spec) | {
        "format": FORMAT,
        "versions": {package: version(package) for package in ("torch", "peft", "monai")},
        "files": {name: _digest(folder / name) for name in (CONFIG, ADAPTER_FILE, HEAD)},
    }
    write_json(folder / RECORD, record)


def load_student(cls: type[Student], network: nn.Module, folder: str | Path) -> Student:
    """The student that `save_student` wrote, on a copy of `network`."""
    folder = Path(folder)
    record = _read_record(folder)
    fields = {field.name: record[field.name] for field in dataclasses.fields(AdapterSpec)}
    spec = AdapterSpec(**fields | {"targets": tuple(fields["targets"])})
    _check_teacher(network, spec, folder)
    with reading(folder / RECORD, remedy=REMEDY):
        student = cls(network=inject(network, spec=spec, seed=0), spec=spec)
    head, adapter = _tensors(folder / HEAD), _tensors(folder / ADAPTER_FILE)
    state = {
        f"adapter.{name.removeprefix('base_model.model.').removesuffix('.weight')}": value
        for name, value in adapter.items()
    }
    state |= {
        f"head.{name.removeprefix('trained.')}": value for name, value in head.items() if name.startswith("trained.")
    }
    student.load_trainable(state | {"scale": torch.tensor(1.0, dtype=torch.float64)})
    return student.eval()


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is damaged, not a readable safetensors file; {REMEDY}") from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"{path}: no such file; {folder} holds no saved student")
    record = read_json(path, remedy=REMEDY)
    with reading(path, remedy=REMEDY):
        known, files = record["format"], dict(record["files"])
    if known != FORMAT:
        raise InputError(f"{path}: format '{known}' is unknown; this version reads {FORMAT}")
    for field in dataclasses.fields(AdapterSpec):
        if field.name not in record:
            raise InputError(f"{path}: is damaged: {field.name!r} is missing; {REMEDY}")
        if not _fits(record[field.name], str(field.type)):
            raise InputError(f"{path}: is damaged: {field.name!r} is not of type {field.type}; {REMEDY}")
    for name in (CONFIG, ADAPTER_FILE, HEAD):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: missing, though {RECORD} names it")
        if _digest(folder / name) != files.get(name):
            raise InputError(f"{folder / name}: damaged or of another run: its digest is not the one in {RECORD}")
    return record


def _fits(value: Any, kind: str) -> bool:
    """Whether a value of JSON is of a field's type."""
    if kind.startswith("tuple"):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    allowed: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}
    return isinstance(value, allowed[kind]) and not isinstance(value, bool)


def _check_teacher(network: nn.Module, spec: AdapterSpec, folder: Path) -> None:
    state = network.state_dict()
    if architecture_hash(state) != spec.architecture:
        raise InputError(f"{folder}: the adapter was made for another architecture than the network given")
    found = state_hash(state)
    if found != spec.base_hash:
        raise InputError(
            f"{folder}: the adapter was made for another teacher "
            f"(sha256 {spec.base_hash[:12]}..., given is {found[:12]}...)"
        )
