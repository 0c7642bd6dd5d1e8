"""Every command of a built bundle's README, in a copy of the bundle and with nothing of this repository at hand."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from bundle.build import build
from bundle.check import check, commands, zoo_note
from bundle.tasks import TASKS
from PIL import Image
from scripts.attacks.quantisation import Quantised
from scripts.chain import run_workflow
from scripts.pool import preparation
from scripts.pool.candidates import Candidate
from scripts.pool.mock_scoring import MockScoring
from scripts.settings.workflows import accepted
from tests.warm import python

CHILDREN, EDGE = 14, 48
SHORT = {
    **{"dataset_name": "chase", "network_name": "unet_half", "in_channels": 3, "out_channels": 1, "image_size": EDGE},
    **{"epochs": 2, "validate_every": 1, "batch_size": 8, "threads": 1, "progress": False, "select": "last"},
    **{"near_duplicates": False, "overlays": 1, "attacks": [], "reference_dir": "references", "request": ""},
}
# 31 lesions; two folds, and a recipe on one mock request.
DRAWN = {"guard_share": 0.0, "calibration_requests": 1, "mock_requests": 0, "folds": 2}
DERMOSCOPY = {
    "dermoscopy": {**DRAWN, "network_name": "unet_half"},
    "dermoscopy_classification": {
        **{**DRAWN, "task": "classification", "network_name": "resnet18", "out_channels": 3, "image_size": 32},
    },
}
FEW = {"steps_per_round": 1, "min_rounds": 1, "max_rounds": 2, "retain_batch": 4, "forget_batch": 2}


@pytest.fixture(scope="module")
def fundus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn photographs in the official layout of CHASE_DB1."""
    folder, rng = tmp_path_factory.mktemp("chase"), np.random.default_rng(0)
    for child in range(1, CHILDREN + 1):
        for eye in "LR":
            image = rng.normal(110, 12, (64, 64, 3))
            mask = np.zeros((64, 64), bool)
            for row in rng.integers(8, 56, 3):
                mask[row : row + 3] = True
            image[mask] -= 50
            name = folder / f"Image_{child:02d}{eye}"
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(f"{name}.jpg", quality=95)
            for observer in ("1stHO", "2ndHO"):
                Image.fromarray((mask * 255).astype(np.uint8)).save(f"{name}_{observer}.png")
    return folder


def team(repository: Path, root: Path) -> Path:
    """The repository as far as a bundle is built from it."""
    for part in ("configs", "scripts", "sample_data"):
        shutil.copytree(repository / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "requirements.txt", "requirements-cpu.txt", "requirements-gpu.txt"):
        shutil.copy(repository / name, root / name)
    return root


@pytest.fixture(scope="module")
def repository_of_a_team(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with an overlay that is short enough for a test."""
    root = team(repository, tmp_path_factory.mktemp("team") / "root")
    (root / "configs" / "chase.yaml").write_text(yaml.safe_dump(SHORT))
    return root


@pytest.fixture(scope="module")
def models(repository_of_a_team: Path, fundus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher with its pool and recipe, by `train` and `prepare`; two candidates and no attack that trains."""
    folder = tmp_path_factory.mktemp("models")
    own = {"bundle_root": str(repository_of_a_team), "dataset_dir": str(fundus), "model_dir": str(folder)}
    configs = repository_of_a_team / "configs"
    short = [Candidate("fold_start", {**FEW, "forget_learning_rate": 1e-4})]
    short += [Candidate("erase_to_retain", {**FEW, "trainable": "all"})]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "candidates", lambda batch: tuple(short))
        patch.setattr(MockScoring, "attacks", lambda self, without: {"int8": Quantised(8)})
        own |= {"output_dir": str(folder / "run"), "reference_dir": str(folder / "references")}
        for name, more in (("train", {}), ("prepare", {"folds": 2, "calibration_requests": 1, "mock_requests": 0})):
            known = {key: value for key, value in own.items() if key in accepted(name)}
            files = [str(configs / f"{name}.yaml"), str(configs / "chase.yaml")]
            run_workflow(files, overrides={**known, **more})
    return folder


@pytest.fixture(scope="module")
def delivered(repository_of_a_team: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The retina bundle with its pool, copied once more to where a stranger unpacks it."""
    made = tmp_path_factory.mktemp("built")
    address = "https://example.org/retina"
    built = build(
        TASKS["retina"], output=made, model=models / "model.pt", pool=True, url=address, root=repository_of_a_team
    ).folder
    return Path(shutil.copytree(built, tmp_path_factory.mktemp("stranger") / built.name))


def test_provenance_comes_along(delivered: Path, models: Path) -> None:
    """The data set is the task's own and public, so the records come without being asked for, weights byte for byte."""
    for name in ("model.pt", "model.json", "split.json", "model_fold0.pt", "model_fold1.json", "recipe.json"):
        assert (delivered / "models" / name).read_bytes() == (models / name).read_bytes(), name
    listed = yaml.safe_load((delivered / "large_files.yml").read_text())["large_files"]
    assert {entry["path"] for entry in listed} >= {"models/model.pt", "models/model_fold0.pt"}
    assert all(entry["url"] == f"https://example.org/retina/{entry['path']}" for entry in listed)


@pytest.mark.slow
def test_it_passes_its_own_check(delivered: Path, fundus: Path) -> None:
    assert check(delivered, dataset_dir=str(fundus)) == [] and zoo_note(delivered) == ""


def followed(bundle: Path, data: Path) -> list[str]:
    """Run every command of a bundle's README in its folder; the workflows, in their order."""
    lines = commands((bundle / "docs" / "README.md").read_text(encoding="utf-8"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    for line in lines:
        words = [str(data) if word == "DIR" else word for word in shlex.split(line)]
        if words[0] == "pip":
            assert all((bundle / word).is_file() for word in words if word.endswith(".txt"))
            continue
        done = python(words[1:], cwd=bundle, env={**environment, "OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, f"{line}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    return [shlex.split(line)[4] for line in lines if "monai.bundle run" in line]


def answered(bundle: Path, unit: str) -> None:
    """The request of the README was answered, measured and taken back."""
    run = bundle / "eval" / "example-1"
    assert json.loads((run / "private" / "resolution.json").read_text())["patients"]["forget"] == [unit]
    assert (run / "release" / "metrics.json").is_file()
    assert json.loads((run / "private" / "state.json").read_text())["state"] == "reverted"
    assert (bundle / "models" / "new" / "model.pt").is_file() and (bundle / "models" / "model.ts").is_file()


@pytest.mark.slow
def test_a_stranger_can_follow_it(delivered: Path, fundus: Path) -> None:
    assert followed(delivered, fundus) == ["infer", "forget", "evaluate", "revert", "train"]
    answered(delivered, "01")
    assert len(list((delivered / "eval" / "inference").glob("*.png"))) == 3


@pytest.mark.study
@pytest.mark.parametrize("name", ["dermoscopy", "dermoscopy_classification"])
def test_so_can_one_who_trains_and_prepares_first(repository: Path, tmp_path: Path, name: str) -> None:
    """Without a pool in the bundle, by `prepare` as it is: minutes."""
    task, root = TASKS[name], team(repository, tmp_path / "root")
    values = {"dataset_name": task.data_set, **DERMOSCOPY[name]}
    (root / "configs" / task.overlay).write_text(yaml.safe_dump({**SHORT, **values}))
    built = build(task, output=tmp_path / "built", untrained=True, root=root).folder
    steps = followed(built, dermoscopy(tmp_path / "data", task.example[1], masks=name == "dermoscopy"))
    assert steps == ["infer", "train", "prepare", "forget", "evaluate", "revert", "train"]
    answered(built, task.example[1])


def dermoscopy(folder: Path, asked: str, *, masks: bool) -> Path:
    """Drawn lesions in an official layout of ISIC, with its sets: Task 1 of 2018, or Part 3 of 2017."""
    rng = np.random.default_rng(0)
    rules, columns = np.mgrid[:64, :64]
    number = 100_000
    for part, count in (("Training", 20), ("Validation", 6), ("Test" if masks else "Test_v2", 5)):
        images = folder / (f"ISIC2018_Task1-2_{part}_Input" if masks else f"ISIC-2017_{part}_Data")
        truth = folder / f"ISIC2018_Task1_{part}_GroundTruth"
        images.mkdir(parents=True)
        rows = ["image_id,melanoma,seborrheic_keratosis"]
        for place in range(count):
            name = asked if part == "Training" and place == 0 else f"ISIC_{number:07d}"
            number, kind = number + 1, place % 3
            row, column = rng.integers(20, 44, 2)
            mask = (rules - row) ** 2 + (columns - column) ** 2 < (8 + 4 * kind) ** 2
            image = rng.normal(170, 8, (64, 64, 3))
            image[mask] -= (70, 90, 100)
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(images / f"{name}.jpg")
            if masks:
                truth.mkdir(exist_ok=True)
                Image.fromarray((mask * 255).astype(np.uint8)).save(truth / f"{name}_segmentation.png")
            rows.append(f"{name},{float(kind == 0)},{float(kind == 2)}")
        if not masks:
            (folder / f"ISIC-2017_{part}_Part3_GroundTruth.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_without_a_pool_the_reader_is_told_to_make_one(
    repository_of_a_team: Path, models: Path, tmp_path: Path
) -> None:
    built = build(TASKS["retina"], output=tmp_path, model=models / "model.pt", root=repository_of_a_team).folder
    lines = commands((built / "docs" / "README.md").read_text(encoding="utf-8"))
    asked = [shlex.split(line) for line in lines if "monai.bundle run" in line]
    steps = [(words[4], words[words.index("--model_dir") + 1]) for words in asked if "models/own" in words]
    assert steps == [(name, "models/own") for name in ("train", "prepare", "forget", "evaluate", "revert")]


@pytest.mark.slow
def test_faults_are_found_and_named(retina_bundle: Path, tmp_path: Path) -> None:
    """One of each kind, all at once."""
    bundle = Path(shutil.copytree(retina_bundle, tmp_path / retina_bundle.name))
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    metadata["network_data_format"]["outputs"]["pred"]["num_channels"] = 2
    del metadata["changelog"][metadata["version"]]
    (bundle / "configs" / "metadata.json").write_text(json.dumps(metadata))
    page = (bundle / "docs" / "README.md").read_text()
    (bundle / "docs" / "README.md").write_text(
        page.split("---\n", 2)[2].replace("configs/revert.yaml", "configs/rvert.yaml")
    )
    twin = json.loads((bundle / "configs" / "train.json").read_text())
    (bundle / "configs" / "train.json").write_text(json.dumps({**twin, "epochs": 1}, indent=4) + "\n")
    (bundle / "private").mkdir()
    (bundle / "scripts" / "notes.txt").write_text("see /home/somebody/data")
    (bundle / "LICENSE").unlink()
    found = check(bundle)
    assert found[0] == "LICENSE: is missing"
    (bundle / "LICENSE").write_text("")
    found = check(bundle)
    for words in (
        "changelog has no entry for version",
        "configs/metadata.json: is not in the form",
        "configs/train.json: says another thing than train.yaml",
        "its header has no 'library_name'",
        "names configs/rvert.yaml, which is missing",
        "private: does not belong into a bundle",
        "scripts/notes.txt: names a folder of somebody's computer",
        "verify_net_in_out: ",
    ):
        assert any(words in line for line in found), words
    assert zoo_note(bundle).startswith("1 files are larger than 1024 kB")
