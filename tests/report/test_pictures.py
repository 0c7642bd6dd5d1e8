"""Pictures that open, for masks, classes and volumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.transforms import Compose
from PIL import Image
from scripts.cohort import resolve
from scripts.cohort.loaders import CohortLoaders
from scripts.data.phantom import Phantom
from scripts.data.source import DataSource
from scripts.data.transforms import preprocessing
from scripts.engines.arithmetic import Arithmetic
from scripts.files import write_text
from scripts.record.evaluation import Evaluation
from scripts.record.run_folder import RunFolder
from scripts.report.pictures import Pictures
from scripts.request import Request
from scripts.tasks import build_task
from torch import nn

HISTORY = "phase,epoch,iteration,name,value\nforget,1,20,loss,0.5\nforget,2,40,loss,0.4\nrestore,1,20,kept,-0.01\n"


class Volumes(DataSource):
    """Small volumes with a block in them."""

    name = "volumes"
    channels = 1
    spatial_dims = 3

    def records(self) -> list[dict[str, Any]]:
        splits = ["train"] * 4 + ["validation"] * 2 + ["test"]
        return [
            {"image": str(i), "label": "", "image_id": f"v{i}", "patient_id": f"p{i}", "split": split}
            for i, split in enumerate(splits)
        ]

    def loading(self) -> list[Callable[[dict[str, Any]], dict[str, Any]]]:
        def draw(record: dict[str, Any]) -> dict[str, Any]:
            label = torch.zeros(1, 16, 16, 12)
            label[:, 4:10, 5:11, 3:9] = 1
            noise = torch.rand(label.shape, generator=torch.Generator().manual_seed(int(record["image"])))
            return {**record, "image": 300 * label + 50 * noise, "label": label}

        return [draw]


def evaluation(
    folder: RunFolder, *, source: DataSource, network: nn.Module, transform: Compose, ask: str
) -> Evaluation:
    cohort = resolve(source, request=Request("r", "patient", (ask,), "2026-01-31", "research"))
    return Evaluation(
        models={"teacher": network.eval(), "student": network.eval()},
        loaders=CohortLoaders(cohort=cohort, transform=transform),
        task=build_task(source.task),
        arithmetic=Arithmetic(device="cpu"),
        folder=folder,
        forget_views="flip_h",
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(output_dir=tmp_path, log=False)
    write_text(made.history, HISTORY)
    return made


def sizes(folder: RunFolder) -> dict[str, tuple[int, int]]:
    found = {}
    for path in sorted(folder.overlays.iterdir()):
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "PNG"
            found[path.stem] = picture.size
    return found


def test_masks(bench, folder: RunFolder) -> None:
    made = Evaluation(
        models={"teacher": bench.teacher, "student": bench.student().eval().network},
        loaders=bench.loaders(),
        task=bench.task,
        arithmetic=bench.arithmetic,
        folder=folder,
    )
    Pictures(evaluation=made, count=2).draw()
    found = sizes(folder)
    assert set(found) == {"forget", "validation", "test", "curves"}
    # Columns: image, truth, teacher, student; a row an image.
    assert found["forget"] == (round(2.2 * 4 * 110), round(2.3 * 2 * 110))


@pytest.mark.parametrize("normalise", ["half", "zscore"])
def test_classes(folder: RunFolder, normalise: str) -> None:
    source = Phantom(task="classification")
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
    transform = preprocessing(source, image_size=16, normalise=normalise)
    made = evaluation(folder, source=source, network=network, transform=transform, ask="p003")
    Pictures(evaluation=made, count=1, normalise=normalise).draw()
    assert sizes(folder)["test"] == (round(2.2 * 3 * 110), round(2.3 * 110))


def test_volumes(folder: RunFolder) -> None:
    source = Volumes()
    transform = preprocessing(source, image_size=None, normalise="zscore")
    made = evaluation(folder, source=source, network=nn.Conv3d(1, 1, 3, padding=1), transform=transform, ask="p1")
    figures = made.run()
    assert {"forget", "forget_flip_h", "retain", "validation", "test"} == set(figures["student"])
    assert json.loads(folder.metrics.read_text())["teacher"]["test"]["n_images"] == 1
    Pictures(evaluation=made, count=3, normalise="zscore").draw()
    assert {"forget", "validation", "test", "curves"} == set(sizes(folder))


def test_no_overlays_and_no_history(bench, tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    made = Evaluation(
        models={"teacher": bench.teacher},
        loaders=bench.loaders(),
        task=bench.task,
        arithmetic=bench.arithmetic,
        folder=folder,
    )
    Pictures(evaluation=made, count=0).draw()
    assert sizes(folder) == {}
