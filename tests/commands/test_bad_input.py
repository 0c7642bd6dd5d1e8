"""Bad input: one clear line that names what is wrong and what is allowed, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scripts.tasks.networks import build_network
from tests.commands.common import (
    FORGET,
    LOG,
    RESTORE,
    SMALL,
    TRAIN,
    files,
    front_end,
    one_line,
    refusal,
    request_file,
    run,
    start,
    temporary,
)

HEADER = "request_id,level,id,requested_on,ground"
ROW = "r1,patient,p007,2026-01-31,erasure_request"


@pytest.fixture
def forgetting(tmp_path: Path, pool: Path, request_csv: Path) -> dict[str, Any]:
    """Settings with which forgetting would go well."""
    return {**FORGET, "model_dir": str(pool), "request": str(request_csv), "output_dir": str(tmp_path / "out")}


@pytest.fixture
def training(tmp_path: Path) -> dict[str, Any]:
    """Settings with which training would go well."""
    return {**TRAIN, "epochs": 2, "model_dir": str(tmp_path / "models"), "output_dir": str(tmp_path / "out")}


def refused(name: str, settings: Mapping[str, Any], *said: str, left: set[str] = LOG) -> str:
    """The error's line: it holds what is asked, its code is 2, and nothing but `left` is in the run folder."""
    error = refusal(name, settings, run_id="single" if name == "train" else None)
    assert error.exit_code == 2
    for part in said:
        assert part in str(error)
    folder = Path(settings["output_dir"])
    assert files(folder) <= left
    models = Path(settings["model_dir"])
    assert temporary(models) == set() and (name != "train" or not files(models))
    return str(error)


# ---- requests: refused before a model or a folder is touched ----


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{HEADER}\n{ROW.replace('p007', 'p777')}\n", ("patient id 'p777' matches nothing", "nearest known: 'p0")),
        ("", ("is empty",)),
        (f"{HEADER}\n", ("names no id", "under the header")),
        (
            f"{HEADER}\n{ROW}\nr2,patient,p008,2026-01-31,erasure_request\n",
            ("line 3: request_id 'r2' differs from 'r1'",),
        ),
        (f"{HEADER}\n{ROW}\n{ROW}\n", ("line 3: id 'p007' repeats line 2",)),
        (f"{HEADER}\n{ROW.replace('r1', '../r1')}\n", ("line 2: request_id '../r1'",)),
        (f"{HEADER}\n{ROW.replace('r1', '..')}\n", ("line 2: request_id '..'",)),
        (f"{HEADER}\n{ROW.replace('patient', 'patinet')}\n", ("line 2: level 'patinet'", "patient, study")),
        (f"{HEADER}\n{ROW.replace('p007', '')}\n", ("line 2: the id is empty",)),
        (f"{HEADER}\n{ROW.replace('2026-01-31', '31.1.2026')}\n", ("line 2: requested_on '31.1.2026'", "2026-01-31")),
        (f"{HEADER}\n{ROW.replace('erasure_request', 'because')}\n", ("line 2: ground 'because'", "consent_withdrawn")),
        (f"{HEADER},note\n{ROW},x\n", ("line 1", "'note'")),
        (f"{HEADER}\n{ROW.replace('p007', 'p045')}\n", ("not trained on patient 'p045'", "validation")),
        (f"{HEADER}\n{ROW}\n".replace("p007", "p0\xe97").encode("latin-1"), ("line 2: byte 0xe9 is not UTF-8",)),
    ],
    ids=(
        "unknown-id empty-file no-rows two-requests duplicate-row path-in-name dots level empty-id date ground column"
        " held-out not-utf8"
    ).split(),
)
def test_request(forgetting: dict[str, Any], content: str | bytes, said: tuple[str, ...]) -> None:
    path = Path(forgetting["request"])
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    refused("forget", forgetting, str(path), *said)
    assert not Path(forgetting["output_dir"]).exists()


def test_all_is_to_be_forgotten(forgetting: dict[str, Any]) -> None:
    request_file(Path(forgetting["request"]), [f"p{index:03d}" for index in range(40)])
    refused("forget", forgetting, "no retain data is left")
    assert not Path(forgetting["output_dir"]).exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"request": ""}, ("request: nothing to forget", "--request FILE", "--forget_ratio")),
        ({"forget_ratio": 0.1}, ("request", "forget_ratio", "give one")),
        ({"request": "", "forget_ratio": 1.5}, ("forget_ratio", "1.5")),
        ({"request": "nowhere.csv"}, ("nowhere.csv: no such request file",)),
    ],
)
def test_what_to_forget(forgetting: dict[str, Any], changed: dict[str, Any], said: tuple[str, ...]) -> None:
    refused("forget", {**forgetting, **changed}, *said)
    assert not Path(forgetting["output_dir"]).exists()


# ---- values of settings ----


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("goal", "forget", "allowed: unlearn | suppress"),
        ("schedule", "jiont", "allowed: joint | released; did you mean 'joint'?"),
        ("reference", "folds", "allowed: fold | none; did you mean 'fold'?"),
        ("device", "cuda:9", "auto, cpu, cuda:N"),
        ("device", "gpu", "allowed: auto, cpu, cuda, cuda:N"),
        ("dataset_name", "chase_db", "did you mean 'chase'?"),
        ("network_name", "unet_hlaf", "did you mean 'unet_half'?"),
        ("task", "segment", "segmentation | classification"),
        ("forget_objective", "forground", "foreground"),
        ("retain_objective", "distil", "distillation"),
        ("normalise", "halves", "half"),
        ("cache", "ram", "memory"),
        ("forget_augment", "flip", "forget_augment: 'flip' is not allowed"),
        ("scope", "decoder+haed", "decoder+head"),
        ("lora_rank", 0, "a whole number from 1 up to 1024, null"),
        ("max_rounds", 0, "a whole number from 1 up to 1000000, null"),
        ("cached_views", -1, "cached_views: '-1' is not allowed; allowed: a whole number from 0"),
        ("retain_images", 0, "retain_images: '0' is not allowed; allowed: a whole number from 1, all, null"),
        ("retain_images", 0.5, "retain_images: '0.5' is not allowed"),
        ("retain_images", True, "retain_images: 'True' is not allowed"),
        ("retain_choice", "nearset", "allowed: random | stratified | nearest; did you mean 'nearest'?"),
        ("phantom_patients", 0, "phantom_patients: '0' is not allowed; allowed: a whole number from 1"),
        ("frozen_budget", -5, "frozen_budget: '-5' is not allowed; allowed: a number from 0"),
        ("frozen_budget", "much", "frozen_budget: 'much' is not allowed"),
    ],
)
def test_value_of_forget(forgetting: dict[str, Any], name: str, value: Any, allowed: str) -> None:
    assert str(value) in refused("forget", {**forgetting, name: value}, allowed)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("restore_epochs", 0, "restore_epochs: '0' is not allowed; allowed: a whole number from 1"),
        ("restore_batch", 0, "restore_batch: '0' is not allowed; allowed: a whole number from 1"),
        ("restore_steps", 0, "restore_steps: '0' is not allowed; allowed: a whole number from 1"),
    ],
)
def test_value_of_restore(tmp_path: Path, pool: Path, finished: Path, name: str, value: Any, allowed: str) -> None:
    shutil.copytree(finished / "forget", tmp_path / "out")
    before = files(tmp_path / "out")
    own = {"model_dir": str(pool), "request": str(finished / "request.csv"), "output_dir": str(tmp_path / "out")}
    refused("restore", {**RESTORE, **own, name: value}, allowed, left=before)
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("select", "bset", "last | best; did you mean 'best'?"),
        ("lr_schedule", "cosin", "did you mean 'cosine'?"),
        ("augment", "fundsu", "fundus"),
        ("network_name", "resnet50", "network_name: 'resnet50' is not allowed; allowed: unet_half | "),
        ("epochs", 0, "a whole number from 1"),
        ("batch_size", 0, "a whole number from 1"),
        ("validation_share", 1.2, "validation_share"),
    ],
)
def test_value_of_train(training: dict[str, Any], name: str, value: Any, allowed: str) -> None:
    assert str(value) in refused("train", {**training, name: value}, allowed)


# ---- keys, on the command line ----


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("lora_rnk", "error: command line: unknown key 'lora_rnk'; did you mean 'lora_rank'?"),
        (
            "train#trainer#max_epoch",
            "unknown key 'train#trainer#max_epoch'; did you mean 'train::trainer::max_epochs'?",
        ),
        ("epochs", "error: command line: unknown key 'epochs'"),
    ],
)
def test_mistyped_key(forgetting: dict[str, Any], key: str, said: str) -> None:
    code, errors = front_end("forget", {**forgetting, key: 3})
    assert code == 2 and said in one_line(errors)
    assert not Path(forgetting["output_dir"]).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("lora_rnk: 3\n", "unknown key 'lora_rnk'; did you mean 'lora_rank'?"),
        ("optimizer::learning: 3\n", "unknown key 'optimizer::learning'"),
        ("lora:\n  rank: 3\n", "unknown key 'lora'; did you mean "),
    ],
)
def test_mistyped_overlay(forgetting: dict[str, Any], tmp_path: Path, content: str, said: str) -> None:
    overlay = tmp_path / "site.yaml"
    overlay.write_text(content)
    code, errors = front_end("forget", forgetting, overlays=[overlay])
    line = one_line(errors)
    assert code == 2 and str(overlay) in line and said in line
    assert not Path(forgetting["output_dir"]).exists()


def test_missing_overlay(forgetting: dict[str, Any], tmp_path: Path) -> None:
    """MONAI opens the config files before any code of ours runs: its message, and its exit code."""
    path = tmp_path / "absent.yaml"
    code, errors = front_end("forget", forgetting, overlays=[path])
    assert code == 1 and errors.strip().splitlines()[-1].endswith(f"Cannot find the config file: {path}.")
    assert not Path(forgetting["output_dir"]).exists()


# ---- checkpoints ----


def test_no_teacher(forgetting: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "none" / "model.pt"
    refused("forget", {**forgetting, "model_dir": str(path.parent)}, f"{path}: no such checkpoint")


def test_no_fold_teacher(forgetting: dict[str, Any], tmp_path: Path, pool: Path) -> None:
    for name in ("model.pt", "model.json", "split.json"):
        (tmp_path / name).write_bytes((pool / name).read_bytes())
    settings = {**forgetting, "model_dir": str(tmp_path)}
    refused("forget", settings, "model_fold", "no fold teacher", "reference: none")


def test_checkpoint_of_another_architecture(forgetting: dict[str, Any], tmp_path: Path) -> None:
    other = build_network(name="unet_small", spatial_dims=2, in_channels=1, out_channels=1)
    torch.save(other.state_dict(), tmp_path / "model.pt")
    settings = {**forgetting, "model_dir": str(tmp_path), "trust_unrecorded": True}
    refused("forget", settings, f"{tmp_path / 'model.pt'}: made for another architecture", "is missing")


class Harm:
    """What a pickle may do: here it makes a folder."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable, tuple[str]]:
        import os

        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_code_in_a_checkpoint_is_not_run(forgetting: dict[str, Any], tmp_path: Path, writer: str) -> None:
    canary, path = tmp_path / "canary", tmp_path / "model.pt"
    content = {"weight": torch.zeros(1), "more": Harm(canary)}
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    refused(
        "forget",
        {**forgetting, "model_dir": str(tmp_path), "trust_unrecorded": True},
        f"{path}: contains code",
        "it was not run",
    )
    assert not canary.exists()


def test_truncated_teacher(forgetting: dict[str, Any], tmp_path: Path, pool: Path) -> None:
    content = (pool / "model.pt").read_bytes()
    (tmp_path / "model.pt").write_bytes(content[: len(content) // 2])
    refused(
        "forget",
        {**forgetting, "model_dir": str(tmp_path), "trust_unrecorded": True},
        "model.pt: not a readable checkpoint",
    )


def test_teacher_that_is_not_finite(forgetting: dict[str, Any], tmp_path: Path, pool: Path) -> None:
    state = torch.load(pool / "model.pt", weights_only=True)
    name = next(iter(state))
    state[name][0] = float("inf")
    torch.save(state, tmp_path / "model.pt")
    refused(
        "forget",
        {**forgetting, "model_dir": str(tmp_path), "trust_unrecorded": True},
        f"'{name}' holds values that are not finite",
    )


# ---- images: a datalist of generated pictures ----


@pytest.fixture
def datalist(tmp_path: Path) -> Path:
    """Twelve patients of one picture and one mask each; the ids are such as a program would take for numbers."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    names = ["01", "1", "1e5", "100000.0", "1_000", "1000", *(f"c{index}" for index in range(6))]
    training = []
    for index, name in enumerate(names):
        Image.fromarray(rng.integers(0, 255, (32, 32), dtype=np.uint8)).save(folder / f"i{index}.jpg")
        mask = np.zeros((32, 32), np.uint8)
        mask[8:24, 8:24] = 255
        Image.fromarray(mask).save(folder / f"m{index}.png")
        training.append({"image": f"i{index}.jpg", "label": f"m{index}.png", "patient_id": name})
    held_out = {name: [training.pop()] for name in ("validation", "testing")}
    held_out["validation"].append(training.pop())
    path = folder / "list.json"
    path.write_text(json.dumps({"training": training, **held_out}))
    return path


@pytest.fixture
def own_data(datalist: Path) -> dict[str, Any]:
    """Settings of that data set; for suppression no fold teacher is needed."""
    return {"dataset_name": "datalist", "datalist": str(datalist)}


@pytest.fixture
def own_forgetting(forgetting: dict[str, Any], own_data: dict[str, Any], pool: Path, tmp_path: Path) -> dict[str, Any]:
    """Settings to suppress on it, with a teacher that carries no record of its training."""
    models = tmp_path / "own_models"
    models.mkdir()
    (models / "model.pt").write_bytes((pool / "model.pt").read_bytes())
    return {**forgetting, **own_data, "goal": "suppress", "model_dir": str(models), "trust_unrecorded": True}


def damage_jpeg(folder: Path) -> tuple[str, str]:
    content = (folder / "i2.jpg").read_bytes()
    (folder / "i2.jpg").write_bytes(content[: len(content) // 2])
    return "i2.jpg", "not a readable image"


def remove_mask(folder: Path) -> tuple[str, str]:
    (folder / "m2.png").unlink()
    return "m2.png", "no such file"


def wrong_size(folder: Path) -> tuple[str, str]:
    Image.fromarray(np.zeros((16, 32), np.uint8)).save(folder / "m2.png")
    return "m2.png", "mask size (16, 32) differs from image size (32, 32)"


def not_binary(folder: Path) -> tuple[str, str]:
    Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32).astype(np.uint8)).save(folder / "m2.png")
    return "m2.png", "mask is not binary"


@pytest.mark.parametrize("harm", [damage_jpeg, remove_mask, wrong_size, not_binary])
@pytest.mark.parametrize("name", ["train", "forget"])
def test_broken_image(
    training: dict[str, Any],
    own_forgetting: dict[str, Any],
    own_data: dict[str, Any],
    harm: Callable[[Path], tuple[str, str]],
    name: str,
) -> None:
    folder = Path(own_data["datalist"]).parent
    file, said = harm(folder)
    request_file(Path(own_forgetting["request"]), ["01"])
    settings = {**training, **own_data} if name == "train" else own_forgetting
    # Forgetting opens a retain image when it is first drawn: the request was taken down by then, no weights were.
    left = LOG | {"private/resolution.json"} if name == "forget" else LOG
    refused(name, settings, str(folder / file), said, left=left)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"training": [{"image": "../i.png", "label": "m0.png", "patient_id": "1"}]}', "leads out of"),
        ('{"training": [{"image": "i0.jpg", "label": "m0.png"}]}', "'patient_id' is missing"),
        ('{"training": [', "list.json"),
        ('{"training": []}', "no images found"),
    ],
)
def test_broken_datalist(training: dict[str, Any], own_data: dict[str, Any], content: str, said: str) -> None:
    Path(own_data["datalist"]).write_text(content)
    refused("train", {**training, **own_data}, own_data["datalist"], said)


@pytest.mark.parametrize("name", ["01", "1e5", "1_000"])
@pytest.mark.parametrize("form", ["plain", "bom", "semicolons", "crlf"])
def test_ids_stay_text(own_forgetting: dict[str, Any], tmp_path: Path, name: str, form: str) -> None:
    """Each is matched by itself alone, though `1`, `100000.0` and `1000` are in the data set as well."""
    path = request_file(Path(own_forgetting["request"]), [name])
    text = path.read_text()
    text = {"semicolons": text.replace(",", ";"), "crlf": text.replace("\n", "\r\n"), "bom": "\ufeff" + text}.get(
        form, text
    )
    path.write_bytes(text.encode())
    short = {"steps_per_round": 1, "max_rounds": 1, "min_rounds": 1, "bisect": False}
    run("forget", {**own_forgetting, **short})
    resolution = json.loads((tmp_path / "out" / "private" / "resolution.json").read_text())
    assert resolution["patients"]["forget"] == [name]
    assert resolution["request"]["ids"] == [name]


# ---- folders and disks ----


@pytest.mark.parametrize("place", ["file", "below a file"])
@pytest.mark.parametrize("name", ["train", "forget"])
def test_output_folder_is_a_file(
    training: dict[str, Any], forgetting: dict[str, Any], tmp_path: Path, name: str, place: str
) -> None:
    path = tmp_path / "taken"
    path.write_text("mine")
    output = path if place == "file" else path / "run"
    settings = {**(training if name == "train" else forgetting), "output_dir": str(output)}
    error = refusal(name, settings, run_id="single" if name == "train" else None)
    assert error.exit_code == 2 and "output_dir: " in str(error) and str(path) in str(error)
    assert path.read_text() == "mine"


def test_output_on_a_read_only_disk(forgetting: dict[str, Any], small_disk: Callable[..., Path]) -> None:
    disk = small_disk("1m", read_only=True)
    said = refused("forget", {**forgetting, "output_dir": str(disk / "run")}, "output_dir: ", str(disk))
    assert "cannot be written to (Read-only file system)" in said


def test_models_on_a_read_only_disk(training: dict[str, Any], small_disk: Callable[..., Path]) -> None:
    disk = small_disk("1m", read_only=True)
    code, errors = front_end("train", {**training, "epochs": 1, "model_dir": str(disk)})
    assert code == 2 and "Read-only file system" in one_line(errors)
    assert files(disk) == set() == temporary(Path(training["output_dir"]))


def test_disk_full_at_the_checkpoint_of_training(training: dict[str, Any], small_disk: Callable[..., Path]) -> None:
    disk = small_disk("1m")
    code, errors = front_end("train", {**training, "output_dir": str(disk / "run")})
    checkpoints, line = disk / "run" / "private" / "checkpoints", one_line(errors)
    assert code == 2 and line.startswith(f"error: {checkpoints}/train_model_")
    assert line.endswith(".pt: No space left on device")
    assert files(disk / "run") <= LOG
    assert files(Path(training["model_dir"])) == set()


def test_disk_full_at_the_student(forgetting: dict[str, Any], small_disk: Callable[..., Path]) -> None:
    disk = small_disk("1m")
    short = {"lora_rank": 1, "max_rounds": 1, "min_rounds": 1, "steps_per_round": 1, "bisect": False}
    code, errors = front_end("forget", {**forgetting, **short, "output_dir": str(disk / "run")})
    path = disk / "run" / "release" / "student.pt"
    assert (code, one_line(errors)) == (2, f"error: {path}: No space left on device")
    assert not path.exists() and temporary(disk) == set()
    assert not (disk / "run" / "private" / "state.json").exists()


# ---- losses that are no numbers ----


def test_loss_that_is_no_number_in_training(training: dict[str, Any]) -> None:
    settings = {**training, "weight_decay": 1e300, "select": "last"}
    refused("train", settings, "loss is ", "nothing was written", "lower learning_rate")


def test_loss_that_is_no_number_in_forgetting(forgetting: dict[str, Any]) -> None:
    settings = {**forgetting, "forget_weight": 1e300}
    refused("forget", settings, "loss is ", "learning_rate", left=LOG)


# ---- phases out of their order ----


@pytest.mark.parametrize("name", ["restore", "revert"])
def test_nothing_was_forgotten_yet(forgetting: dict[str, Any], name: str) -> None:
    keys = {"model_dir", "request", "output_dir"}
    settings = {**RESTORE, **{key: forgetting[key] for key in keys}}
    settings = settings if name == "restore" else {key: settings[key] for key in keys}
    refused(name, settings, forgetting["output_dir"], "forget")


def test_evaluation_without_a_student(forgetting: dict[str, Any]) -> None:
    settings = {**SMALL, **{key: forgetting[key] for key in ("model_dir", "request", "output_dir")}}
    refused("evaluate", settings, "holds no finished run of forget; run forget first")


# ---- the true command line ----


@pytest.mark.slow
def test_true_command_lines(forgetting: dict[str, Any], tmp_path: Path) -> None:
    cases = [
        ("forget", {"lora_rnk": 3}, "unknown key 'lora_rnk'; did you mean 'lora_rank'?"),
        ("forget", {"model_name": "absent.pt"}, "absent.pt: no such checkpoint"),
        ("restore", None, "forget"),
    ]
    for name, changed, said in cases:
        settings = {**forgetting, **changed} if changed else {"output_dir": forgetting["output_dir"]}
        process = start(name, settings, cwd=tmp_path)
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 2, errors[-2000:]
        assert said in one_line(errors)
    assert files(tmp_path / "out") <= LOG
