"""A student on disk: its weights, and a record that binds them to their teacher.

| file | holds |
|---|---|
| adapter_config.json, adapter_model.safetensors | of an adapter: PEFT's format |
| head.safetensors | of an adapter: `trained.*` and `original.*`; PEFT keeps only the trained one, and no way back |
| network.safetensors | of a network of its own: all of its weights; the way back is the teacher's own file |
| student.json | kind, the teacher's digest, versions, and the digests of the files above; written last |
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from scripts.errors import InputError
from scripts.files import read_json, reading, write_bytes, write_json, write_text
from scripts.student.hashing import architecture_hash, state_hash
from scripts.student.inject import AdapterSpec, inject, lora_config
from torch import nn

if TYPE_CHECKING:
    from scripts.student.adapter import AdapterStudent
    from scripts.student.student import Student
    from scripts.student.whole import WholeStudent

CONFIG, ADAPTER_FILE, HEAD = "adapter_config.json", "adapter_model.safetensors", "head.safetensors"
NETWORK_FILE = "network.safetensors"
RECORD = "student.json"
FORMAT = 1
KINDS = ("adapter", "network")
REMEDY = "run forget again, in another output_dir"


def save_adapter(student: AdapterStudent, folder: str | Path) -> None:
    """Write the four files, each whole or absent; the scale is folded in only in what is written."""
    from safetensors.torch import save

    folder = _folder(folder)
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
    _write_record(folder, student.kind, dataclasses.asdict(student.spec), (CONFIG, ADAPTER_FILE, HEAD))


def save_network(student: WholeStudent, folder: str | Path) -> None:
    """Write the weights and the record."""
    from safetensors.torch import save

    folder = _folder(folder)
    # Each a copy of its own: a network may hold one weight under two names, and safetensors takes no such thing.
    state = {name: value.detach().cpu().contiguous().clone() for name, value in student.merged().state_dict().items()}
    write_bytes(folder / NETWORK_FILE, save(state, metadata={"format": "pt"}))
    own = {"head": student.head, "base_hash": student.base_hash, "architecture": student.architecture}
    _write_record(folder, student.kind, own, (NETWORK_FILE,))


def load_student(teacher: nn.Module, folder: str | Path) -> Student:
    """The student that was saved, made of copies of `teacher`, which must be the very teacher it was made for.

    Raises:
        InputError: another teacher or architecture; files missing, damaged or not of one run.
    """
    folder = Path(folder)
    kind = _kind(folder)
    return (_load_network if kind == "network" else _load_adapter)(teacher, folder)


def _load_network(teacher: nn.Module, folder: Path) -> Student:
    from scripts.student.teacher import clone
    from scripts.student.whole import WholeStudent

    record = _read_record(folder, {name: "str" for name in ("head", "base_hash", "architecture")}, (NETWORK_FILE,))
    _check_teacher(teacher, record["base_hash"], record["architecture"], folder)
    network, state = clone(teacher), _tensors(folder / NETWORK_FILE)
    if architecture_hash(state) != record["architecture"]:
        raise InputError(f"{folder / NETWORK_FILE}: is damaged: it is not of the architecture in {RECORD}; {REMEDY}")
    network.load_state_dict(state)
    with reading(folder / RECORD, remedy=REMEDY):
        student = WholeStudent(network=network, teacher=teacher, head=record["head"])
        student.head_parameters()
    return student.eval()


def _load_adapter(teacher: nn.Module, folder: Path) -> Student:
    from scripts.student.adapter import AdapterStudent

    kinds = {field.name: str(field.type) for field in dataclasses.fields(AdapterSpec)}
    record = _read_record(folder, kinds, (CONFIG, ADAPTER_FILE, HEAD))
    fields = {name: record[name] for name in kinds}
    spec = AdapterSpec(**fields | {"targets": tuple(fields["targets"])})
    _check_teacher(teacher, spec.base_hash, spec.architecture, folder)
    with reading(folder / RECORD, remedy=REMEDY):
        student = AdapterStudent(network=inject(teacher, spec=spec, seed=0), spec=spec)
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


def _folder(folder: str | Path) -> Path:
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; a folder for the student is needed")
    return folder


def _write_record(folder: Path, kind: str, own: dict[str, Any], files: tuple[str, ...]) -> None:
    record = own | {
        "kind": kind,
        "format": FORMAT,
        "versions": {package: version(package) for package in ("torch", "peft", "monai")},
        "files": {name: _digest(folder / name) for name in files},
    }
    write_json(folder / RECORD, record)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is damaged, not a readable safetensors file; {REMEDY}") from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _kind(folder: Path) -> str:
    """What kind of student a folder holds; a record without the word is of an earlier version, which knew adapters."""
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"{path}: no such file; {folder} holds no saved student")
    kind = read_json(path, remedy=REMEDY).get("kind", KINDS[0])
    if kind not in KINDS:
        raise InputError(f"{path}: is damaged: kind '{kind}' is not one of {', '.join(KINDS)}; {REMEDY}")
    return kind


def _read_record(folder: Path, kinds: dict[str, str], names: tuple[str, ...]) -> dict[str, Any]:
    """The record of a saved student, its fields of the given types and its files those that were written."""
    path = folder / RECORD
    record = read_json(path, remedy=REMEDY)
    with reading(path, remedy=REMEDY):
        known, files = record["format"], dict(record["files"])
    if known != FORMAT:
        raise InputError(f"{path}: format '{known}' is unknown; this version reads {FORMAT}")
    for name, kind in kinds.items():
        if name not in record:
            raise InputError(f"{path}: is damaged: {name!r} is missing; {REMEDY}")
        if not _fits(record[name], kind):
            raise InputError(f"{path}: is damaged: {name!r} is not of type {kind}; {REMEDY}")
    for name in names:
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


def _check_teacher(network: nn.Module, base_hash: str, architecture: str, folder: Path) -> None:
    state = network.state_dict()
    if architecture_hash(state) != architecture:
        raise InputError(f"{folder}: the student was made for another architecture than the network given")
    found = state_hash(state)
    if found != base_hash:
        raise InputError(
            f"{folder}: the student was made for another teacher (sha256 {base_hash[:12]}..., given is {found[:12]}...)"
        )
