"""Assemble a self-contained bundle folder from the repository: configs, code, weights, pages."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from bundle import folding
from bundle.large_files import write_large_files
from bundle.metadata import metadata
from bundle.pages import write_pages
from bundle.provenance import copy_pool, copy_provenance
from bundle.tasks import TASKS, TaskBundle
from monai.bundle import ConfigParser
from scripts.errors import InputError
from scripts.files import write_text

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("LICENSE", "sample_data", "requirements.txt", "requirements-cpu.txt", "requirements-gpu.txt")
# Settings of an overlay that name a place in this repository; a bundle keeps its own.
PLACES = frozenset({"model_dir"})
NOT_CODE = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


@dataclass(frozen=True)
class Built:
    """Where the bundle lies and whether its weights are trained."""

    folder: Path
    trained: bool


def build(
    task: TaskBundle,
    *,
    output: str | Path,
    model: str | Path | None = None,
    untrained: bool = False,
    records: bool | None = None,
    pool: bool = False,
    url: str = "",
    root: Path = ROOT,
) -> Built:
    """Write the bundle of `task` to `output`/`task.name`; it appears whole or not at all.

    Args:
        task: what to build.
        output: folder that receives the bundle's folder.
        model: trained weights of the task's network, a state dict; None takes those that the project delivers, with
            their pool, where it does.
        untrained: write random weights instead, and say so in every page.
        records: also copy the model's record and its split, by which requests are answered. Whoever has them can test
            whether an id was trained on. None copies them where the data set is the task's own, which is public.
        pool: also copy the fold teachers and what `prepare` found, so that a request can be answered at once.
        url: where large files will lie, for `large_files.yml`; empty writes none.
        root: the repository.

    Raises:
        InputError: a target that is not empty, weights missing or of another network, an overlay that cannot be folded.
    """
    output = Path(output).expanduser()
    target = output / task.name
    if model and untrained:
        raise InputError("--model and --untrained exclude each other")
    delivered = model is None and not untrained and bool(task.delivered) and (root / task.delivered).is_file()
    if delivered:
        model, pool = root / task.delivered, True
    for folder in (output, target):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; --output needs a folder")
    if target.exists() and any(target.iterdir()):
        raise InputError(f"{target}: is not empty; remove it or choose another --output")
    created = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{task.name}.", dir=output))
    done = False
    try:
        _assemble(work, task, root=root, model=model, untrained=untrained)
        recorded = copy_provenance(work / "models", model, task, records=records)
        if pool:
            if model is None or not recorded:
                raise InputError("--pool: needs --model with its records, by which a fold teacher is known to be clean")
            copy_pool(work / "models", model)
        write_pages(work, task, trained=not untrained, recorded=recorded, pool=pool, delivered=delivered)
        write_large_files(work, url=url)
        _readable(work)
        os.replace(work, target)
        done = True
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if created and not done:
            output.rmdir()
    return Built(folder=target, trained=not untrained)


def _readable(folder: Path) -> None:
    """Modes of an installed package: temporary files and folders are private until here."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _assemble(work: Path, task: TaskBundle, *, root: Path, model: str | Path | None, untrained: bool) -> None:
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, work / name, ignore=NOT_CODE)
        elif source.is_file():
            shutil.copy(source, work / name)
    shutil.copytree(root / "scripts", work / "scripts", ignore=NOT_CODE)
    inference = _configs(work / "configs", task, root=root)
    _weights(work / "models" / "model.pt", inference, task, model=model, untrained=untrained)
    settings = folding.settings(inference)
    base = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))
    described = metadata(base, task, settings, trained=not untrained)
    write_text(work / "configs" / "metadata.json", json.dumps(described, indent=4, ensure_ascii=False) + "\n")


def _configs(folder: Path, task: TaskBundle, *, root: Path) -> Path:
    """Workflow files with the overlay folded in, the other overlays as they are; path of the inference file."""
    source = root / "configs"
    overlay_file = source / task.overlay
    if not overlay_file.is_file():
        raise InputError(f"{overlay_file}: no such data overlay")
    overlay = {key: value for key, value in folding.settings(overlay_file).items() if key not in PLACES}
    used: set[str] = set()
    folder.mkdir()
    for path in sorted(source.iterdir()):
        if path.suffix != ".yaml":
            if path.name != "metadata.json" and path.is_file():
                shutil.copy(path, folder / path.name)
            continue
        content = folding.settings(path)
        if "run" not in content:
            shutil.copy(path, folder / path.name)
            continue
        used |= {key for key in overlay if key.replace("#", "::").split("::")[0] in content}
        name = _bundle_name(path.name, task)
        if name:
            text = folding.fold(path.read_text(encoding="utf-8"), overlay, where=str(overlay_file))
            write_text(folder / name, text)
            write_text((folder / name).with_suffix(".json"), folding.json_twin(folder / name))
    if unknown := sorted(set(overlay) - used):
        raise InputError(f"{overlay_file}: no workflow file knows '{unknown[0]}'")
    return folder / "inference.yaml"


def _bundle_name(name: str, task: TaskBundle) -> str | None:
    """The name under which a workflow file goes into the bundle; None leaves it out."""
    if name == task.answers.inference:
        return "inference.yaml"
    return None if name in {each.answers.inference for each in TASKS.values()} else name


def _weights(target: Path, inference: Path, task: TaskBundle, *, model: str | Path | None, untrained: bool) -> None:
    """Write `model.pt` after checking that it fits the bundle's network; given weights stay byte for byte."""
    if not model and not untrained:
        raise InputError(
            f"models/model.pt of this repository was trained on the phantom, not for {task.name}: "
            "give --model FILE, or --untrained for a bundle with random weights"
        )
    parser = ConfigParser(ConfigParser.load_config_files([str(inference)]))
    torch.manual_seed(0)
    network = parser.get_parsed_content("network_def")
    if model:
        from scripts.student.teacher import load_teacher

        load_teacher(network, model)
    target.parent.mkdir()
    if model:
        # The record beside it names the file's digest.
        shutil.copyfile(model, target)
    else:
        torch.save(network.state_dict(), target)
