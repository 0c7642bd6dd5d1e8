"""Bundles to check: a copy of the repository's own, and one built with random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from scripts.tasks.networks import build_network

SCHEMA = Path(__file__).resolve().parents[2] / "bundle" / "meta_schema_20240725.json"


@pytest.fixture(scope="session")
def repository_bundle(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a bundle, copied so that nothing is written beside its files."""
    folder = tmp_path_factory.mktemp("repository") / "bundle"
    for part in ("configs", "scripts", "sample_data", "docs"):
        shutil.copytree(repository / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "models").mkdir()
    shutil.copy(repository / "models" / "model.pt", folder / "models" / "model.pt")
    shutil.copy(repository / "LICENSE", folder / "LICENSE")
    return folder


@pytest.fixture(scope="session")
def small_repository(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with this one's code and workflow files, and data overlays small enough for tests."""
    root = tmp_path_factory.mktemp("small") / "root"
    for part in ("configs", "scripts", "sample_data"):
        shutil.copytree(repository / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "LICENSE", root / "LICENSE")
    segmentation = {"network_name": "unet_half", "in_channels": 3, "image_size": 48, "out_channels": 1}
    classification = {"network_name": "resnet18", "in_channels": 3, "image_size": 48, "out_channels": 3}
    classification["task"] = "classification"
    for name, values in (
        ("chase", segmentation),
        ("isic", segmentation),
        ("isic_classification", classification),
    ):
        (root / "configs" / f"{name}.yaml").write_text(yaml.safe_dump({"dataset_name": name, **values}))
    return root


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that fit the small retina bundle."""
    torch.manual_seed(7)
    path = tmp_path_factory.mktemp("weights") / "retina.pt"
    torch.save(build_network(name="unet_half", spatial_dims=2, in_channels=3, out_channels=1).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def retina_bundle(small_repository: Path, model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built retina bundle."""
    from bundle.build import build
    from bundle.tasks import TASKS

    output = tmp_path_factory.mktemp("built")
    return build(TASKS["retina"], output=output, model=model_file, root=small_repository).folder


@pytest.fixture(scope="session")
def classification_bundle(small_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built classification bundle with random weights."""
    from bundle.build import build
    from bundle.tasks import TASKS

    output = tmp_path_factory.mktemp("built")
    task = TASKS["dermoscopy_classification"]
    return build(task, output=output, untrained=True, root=small_repository).folder


@pytest.fixture(scope="session", params=["repository_bundle", "retina_bundle", "classification_bundle"])
def any_bundle(request: pytest.FixtureRequest) -> Path:
    """Each of the bundles in turn."""
    return request.getfixturevalue(request.param)
