"""The builder: whole folders or nothing, weights that fit or an error, pages that say what the weights are."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from bundle.__main__ import main
from bundle.build import build
from bundle.tasks import TASKS
from monai.bundle import ConfigParser
from scripts.cohort.model_record import ModelRecord
from scripts.errors import InputError
from scripts.student.teacher import read_state

RETINA = TASKS["retina"]


def test_names_follow_the_zoo() -> None:
    assert [task.name for task in TASKS.values()] == [
        "retinal_vessel_unlearning_segmentation",
        "dermoscopy_lesion_unlearning_segmentation",
        "dermoscopy_lesion_unlearning_classification",
    ]
    assert all(task.name.endswith(task.answers.word) for task in TASKS.values())  # MONAI Label guesses the type from it


def test_bundle_holds_what_tools_look_for(retina_bundle: Path) -> None:
    for name in (
        "LICENSE",
        "configs/metadata.json",
        "configs/inference.yaml",
        "configs/inference.json",
        "configs/train.json",
        "configs/logging.conf",
        "docs/README.md",
        "docs/data_license.txt",
        "models/model.pt",
        "models/README.md",
        "scripts/__init__.py",
    ):
        assert (retina_bundle / name).is_file(), name
    assert not (retina_bundle / "configs" / "inference_classification.yaml").exists()
    assert not list(retina_bundle.rglob("__pycache__"))
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in retina_bundle.rglob("*"))  # another user serves it


def test_overlay_became_the_default_and_comments_stay(retina_bundle: Path) -> None:
    text = (retina_bundle / "configs" / "inference.yaml").read_text()
    values = yaml.safe_load(text)
    assert (values["in_channels"], values["image_size"]) == (3, 48)
    line = next(line for line in text.splitlines() if line.startswith("in_channels:"))
    assert "# Image channels: 1 takes images as grey, 3 as colour." in line


def test_twins_say_the_same(any_bundle: Path) -> None:
    twins = [path for path in (any_bundle / "configs").glob("*.yaml") if path.with_suffix(".json").is_file()]
    assert twins or any_bundle.name == "bundle"
    for path in twins:
        loaded = [ConfigParser.load_config_files([str(path.with_suffix(suffix))]) for suffix in (".yaml", ".json")]
        assert loaded[0] == loaded[1], path.name


def test_weights_are_the_given_ones(retina_bundle: Path, model_file: Path) -> None:
    given, found = read_state(model_file), read_state(retina_bundle / "models" / "model.pt")
    assert given.keys() == found.keys() and all(torch.equal(given[key], found[key]) for key in given)


def test_untrained_is_said_everywhere(classification_bundle: Path, retina_bundle: Path) -> None:
    for page in ("configs/metadata.json", "docs/README.md", "models/README.md"):
        assert "UNTRAINED" in (classification_bundle / page).read_text(), page
        assert "UNTRAINED" not in (retina_bundle / page).read_text(), page


def test_pages_are_filled_in(any_bundle: Path) -> None:
    for page in [*any_bundle.glob("docs/*.md"), *any_bundle.glob("docs/*.txt")]:
        # The defaults of settings may be expressions of a config.
        assert "$" not in page.read_text().replace("$@", ""), page


@pytest.mark.parametrize("kind", ["missing", "architecture", "code", "none"])
def test_weights_that_do_not_fit_leave_nothing(small_repository: Path, tmp_path: Path, kind: str) -> None:
    model: Path | None = tmp_path / "model.pt"
    assert model is not None
    if kind == "architecture":
        torch.save(torch.nn.Linear(2, 2).state_dict(), model)
    elif kind == "code":
        model.write_bytes(pickle.dumps(print))
    words = {
        "missing": "no such checkpoint",
        "architecture": "another architecture",
        "code": "model.pt",
        "none": "--model",
    }
    with pytest.raises(InputError, match=words[kind]):
        build(RETINA, output=tmp_path / "out", model=None if kind == "none" else model, root=small_repository)
    assert not (tmp_path / "out").exists()


def test_target_that_is_not_empty_is_refused(small_repository: Path, tmp_path: Path) -> None:
    occupied = tmp_path / RETINA.name
    occupied.mkdir()
    (occupied / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        build(RETINA, output=tmp_path, untrained=True, root=small_repository)
    assert [path.name for path in tmp_path.rglob("*")] == [RETINA.name, "notes.txt"]


def test_output_that_is_a_file_is_refused(small_repository: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        build(RETINA, output=tmp_path / "file", untrained=True, root=small_repository)


def test_mistyped_overlay_key_is_refused(small_repository: Path, tmp_path: Path) -> None:
    overlay = small_repository / "configs" / "chase.yaml"
    kept = overlay.read_text()
    try:
        overlay.write_text(kept + "imagesize: 3\n")
        with pytest.raises(InputError, match="no workflow file knows 'imagesize'"):
            build(RETINA, output=tmp_path / "out", untrained=True, root=small_repository)
    finally:
        overlay.write_text(kept)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "--task", "retna", "--output", "x"], "did you mean retina?"),
        (["build", "--output", "x"], "--task"),
        (["biuld"], "invalid choice"),
        (["build", "--task", "retina", "--output", "x", "--modell"], "unrecognized arguments"),
    ],
)
def test_command_line_errors_are_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and words in error


def test_command_line_from_a_shell(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bundle", "build", "--task", "dermoscopy", "--output", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", list(TASKS))
def test_bundles_of_this_repository_fit_their_metadata(
    repository: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the shipped overlays: the settings agree with the network and the classes."""
    from monai.bundle import ckpt_export, verify_net_in_out

    built = build(TASKS[name], output=tmp_path, untrained=True)
    monkeypatch.chdir(built.folder)
    verify_net_in_out(
        net_id="network_def", meta_file="configs/metadata.json", config_file="configs/inference.yaml", device="cpu"
    )
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file="models/model.pt",
        meta_file="configs/metadata.json",
        config_file="configs/inference.yaml",
    )
    for workflow in ("train", "forget", "inference"):
        model_dir = yaml.safe_load(Path(f"configs/{workflow}.yaml").read_text())["model_dir"]
        assert model_dir == "$@bundle_root + '/models'"  # the bundle's own weights, not a folder of this repository
    meta = json.loads(Path("configs/metadata.json").read_text())
    image, pred = (meta["network_data_format"][side][key] for side, key in (("inputs", "image"), ("outputs", "pred")))
    assert image["num_channels"] == 3
    assert pred["num_channels"] == (1 if TASKS[name].answers.shaped else len(TASKS[name].classes))


@pytest.mark.parametrize(
    ("data_set", "records", "copied"),
    [("chase", None, True), ("chase", False, False), ("datalist", None, False), ("datalist", True, True)],
)
def test_records_come_where_the_data_is_public_or_they_are_asked_for(
    small_repository: Path, model_file: Path, tmp_path: Path, data_set: str, records: bool | None, copied: bool
) -> None:
    own = tmp_path / "own" / "retina.pt"
    own.parent.mkdir()
    own.write_bytes(model_file.read_bytes())
    split = {"seed": 0, "validation_share": 0.2, "test_share": 0.2, "guard_share": 0.0}
    ModelRecord(data_set, split=split).write(own)
    own.with_name("split.json").write_text("{}")
    made = build(RETINA, output=tmp_path / "out", model=own, records=records, root=small_repository).folder
    found = sorted(path.name for path in (made / "models").glob("*.json"))
    assert found == (["model.json", "split.json"] if copied else [])


def test_records_and_a_pool_that_are_not_there_are_named(
    small_repository: Path, model_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--records: .*retina.json: no such file"):
        build(RETINA, output=tmp_path / "none", model=model_file, records=True, root=small_repository)
    with pytest.raises(InputError, match="--pool: needs --model with its records"):
        build(RETINA, output=tmp_path / "none", model=model_file, pool=True, root=small_repository)
    assert not (tmp_path / "none").exists()


def test_imports_stand_as_the_zoo_sorts_them(retina_bundle: Path, tmp_path: Path) -> None:
    """By its setup.cfg, from its root: there a bundle's `scripts` is one package among others."""
    shutil.copytree(retina_bundle / "scripts", tmp_path / "models" / retina_bundle.name / "scripts")
    (tmp_path / "setup.cfg").write_text("[isort]\nknown_first_party = models\nprofile = black\nline_length = 120\n")
    done = subprocess.run([sys.executable, "-m", "isort", "--check", "models"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]
