"""The whole job on the true command line: forget, restore, evaluate; its artefacts; and the way back."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.data.phantom import Phantom
from scripts.settings.config_file import read_config
from scripts.tasks.networks import build_network
from tests.commands.common import (
    FORGOTTEN,
    ROOT,
    SMALL,
    assert_same_tensors,
    files,
    front_end,
    once,
    one_line,
    read,
    refusal,
    request_file,
    succeed,
    temporary,
    tensors,
    workflow,
)

SHORT = {
    "method": "erase_to_retain",
    **{"steps_per_round": 2, "max_rounds": 3, "min_rounds": 3, "overlays": 1, "attacks": ["fine_tuned_20"]},
    # Whether the first epoch betters the head is a matter of rounding.
    **{"restore_epochs": 2, "restore_steps": 2, "restore_patience": 0},
}
ARTEFACTS = {
    "private/adapter/adapter_config.json",
    "private/adapter/adapter_model.safetensors",
    "private/adapter/head.safetensors",
    "private/adapter/student.json",
    "private/identity.json",
    "private/images.csv",
    "private/manifest.json",
    "private/resolution.json",
    "private/run.log",
    "private/state.json",
    "release/history.csv",
    "release/metrics.json",
    "release/student.pt",
    "release/timing.json",
}
SETS = {"forget", "retain", "validation", "test"}


@pytest.fixture(scope="session")
def teacher_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The models that ship with the repository and their settings; the small pool where there are none."""
    if (ROOT / "models" / "model.pt").is_file():
        return {"model_dir": str(ROOT / "models"), "threads": 1}
    return {**SMALL, "model_dir": str(request.getfixturevalue("pool"))}


@pytest.fixture(scope="session")
def unlearned(shared: Path, teacher_settings: dict[str, Any]) -> tuple[Path, str]:
    """The run folder of one true `unlearn`, and what it printed."""
    folder = shared / "unlearned"
    with once(folder) as todo:
        if todo:
            folder.mkdir()
            asked = {"request": str(request_file(folder / "request.csv")), "output_dir": str(folder / "run")}
            printed = succeed("unlearn", {**teacher_settings, **SHORT, **asked}, cwd=folder)
            (folder / "printed.txt").write_text(printed, encoding="utf-8")
    return folder / "run", (folder / "printed.txt").read_text(encoding="utf-8")


@pytest.fixture
def copied(unlearned: tuple[Path, str], teacher_settings: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Settings to go on from a copy of that run."""
    shutil.copytree(unlearned[0], tmp_path / "run")
    own = {"request": str(unlearned[0].with_name("request.csv")), "output_dir": str(tmp_path / "run")}
    return {**teacher_settings, **own}


def reverting(settings: dict[str, Any]) -> dict[str, Any]:
    """Those settings that `revert` knows."""
    return {key: settings[key] for key in ("model_dir", "request", "output_dir")}


@pytest.mark.slow
def test_artefacts(unlearned: tuple[Path, str]) -> None:
    folder, _ = unlearned
    found = files(folder)
    assert ARTEFACTS <= found and temporary(folder) == set()
    assert any(name.startswith("release/tensorboard/") for name in found)
    assert any(name.startswith("private/overlays/") and name.endswith(".png") for name in found)
    found -= {"private/written.jsonl", "private/.lock"}  # of the run folder itself
    rest = found - ARTEFACTS
    assert {name.split("/")[1] for name in rest} <= {"tensorboard", "overlays", "checkpoints"}
    assert {Path(name).name.split("_")[0] for name in rest if "/checkpoints/" in name} == {"forget", "restore"}
    assert stat.S_IMODE((folder / "private").stat().st_mode) == 0o700
    assert set(read(folder / "private" / "manifest.json")["files"]) == found - {
        "private/manifest.json",
        "private/written.jsonl",
        "private/.lock",
    }
    assert read(folder / "private" / "state.json")["state"] == "trial"


@pytest.mark.slow
def test_resolution_and_metrics(unlearned: tuple[Path, str]) -> None:
    folder, _ = unlearned
    resolution = read(folder / "private" / "resolution.json")
    assert resolution["patients"]["forget"] == list(FORGOTTEN)
    assert resolution["sizes"]["forget"] == {"images": 8, "patients": 2}
    metrics = read(folder / "release" / "metrics.json")
    for model in ("teacher", "student"):
        assert SETS <= set(metrics[model])
        for name in SETS:
            part = metrics[model][name]
            assert {"iou", "dice", "hd95", "nsd", "false_negative_rate", "empty_mask"} <= set(part)
            assert part["iou"]["low"] <= part["iou"]["mean"] <= part["iou"]["high"]
            assert part["n_patients"] == resolution["sizes"][name]["patients"]
            assert part["n_images"] == resolution["sizes"][name]["images"]
    recovery = metrics["recovery"]
    assert set(recovery) == {"teacher", "student", "fold_teacher"}
    assert all(set(found) == {"fine_tuned_20"} for found in recovery.values())
    entry = recovery["student"]["fine_tuned_20"]
    assert entry["dice_before"] == metrics["student"]["forget"]["dice"]["mean"] and 0 <= entry["dice"] <= 1
    timing = read(folder / "release" / "timing.json")
    assert (timing["forget"]["steps"], timing["forget"]["rounds"]) == (6, 3)
    assert timing["restore"]["steps"] == 4
    for phase in ("forget", "restore"):
        assert timing[phase]["wall_seconds"] > 0 and timing[phase]["peak_memory_bytes"] > 0


@pytest.mark.slow
def test_student_loads_strictly_into_the_plain_network(
    unlearned: tuple[Path, str], teacher_settings: dict[str, Any]
) -> None:
    config = read_config(workflow("forget"))
    keys = ("spatial_dims", "in_channels", "out_channels")
    network = build_network(name=config["network_name"], **{key: config[key] for key in keys})
    state = tensors(unlearned[0] / "release" / "student.pt")
    network.load_state_dict(state, strict=True)
    teacher = tensors(Path(teacher_settings["model_dir"]) / "model.pt")
    changed = {name for name, value in state.items() if not torch.equal(value, teacher[name])}
    assert changed and not any("running_" in name for name in changed)


@pytest.mark.slow
def test_nothing_of_a_patient_is_printed(unlearned: tuple[Path, str]) -> None:
    folder, printed = unlearned
    for name in identities():
        assert not re.search(rf"\b{re.escape(name)}\b", printed)
    assert "goal: unlearn" in printed and "(synthetic data)" in printed and "not erased" in printed
    assert f"student     {folder / 'release' / 'student.pt'}" in printed
    table = [line.split()[0] for line in printed.splitlines() if line.strip()]
    assert SETS <= set(table)


@pytest.mark.slow
def test_nothing_of_a_patient_is_in_release(unlearned: tuple[Path, str], teacher_settings: dict[str, Any]) -> None:
    folder, _ = unlearned
    paths = [folder, ROOT, Path(teacher_settings["model_dir"]), Path.home()]
    secrets = [name.encode() for name in (*identities(), *map(str, paths)) if len(name) > 3]
    names = "\n".join(sorted(files(folder / "release")))
    for path in (folder / "release").rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".pt":
            # Numbers may spell anything: of the weights file it is the names that count.
            content = "\n".join(tensors(path)).encode()
        for secret in secrets:
            assert secret not in content and secret.decode() not in names, f"{path.name} holds {secret!r}"


def identities() -> Iterator[str]:
    """Every patient id and image id of the phantom."""
    for record in Phantom().records():
        yield from (record["patient_id"], record["image_id"])


@pytest.mark.slow
def test_the_same_command_again_changes_nothing(copied: dict[str, Any]) -> None:
    release = Path(copied["output_dir"]) / "release"
    before = {name: (release / name).read_bytes() for name in ("student.pt", "metrics.json", "history.csv")}
    code, errors = front_end("unlearn", {**copied, **SHORT})
    assert code == 0, errors
    assert {name: (release / name).read_bytes() for name in before} == before


@pytest.mark.slow
def test_revert(copied: dict[str, Any], tmp_path: Path) -> None:
    folder = Path(copied["output_dir"])
    printed = succeed("revert", reverting(copied), cwd=tmp_path)
    assert "release/teacher.pt is the teacher bit for bit" in printed
    assert_same_tensors(folder / "release" / "teacher.pt", Path(copied["model_dir"]) / "model.pt")
    assert not (folder / "release" / "student.pt").exists() and temporary(folder) == set()
    assert read(folder / "private" / "state.json")["state"] == "reverted"

    before = files(folder)
    for name in ("revert", "restore", "forget"):
        settings = reverting(copied) if name == "revert" else {**copied, **known(name)}
        code, errors = front_end(name, settings)
        line = one_line(errors)
        assert code == 6 and str(folder) in line and "another output_dir" in line
    error = refusal("evaluate", copied)
    assert error.exit_code == 6 and "was reverted" in str(error)
    assert files(folder) == before


def known(name: str) -> dict[str, Any]:
    """The short settings that this step knows."""
    steps = {key: value for key, value in SHORT.items() if key not in ("overlays", "attacks")}
    return {key: value for key, value in steps.items() if key.startswith("restore") == (name == "restore")}
