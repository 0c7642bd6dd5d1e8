"""What tests of all rooms share: where the repository is, where real data lies, a small trained teacher."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDS = 2
TRAINING, HELD_OUT, VIEWS = 12, 4, 2  # patients, patients of validation and of test, images a patient


@dataclasses.dataclass(frozen=True)
class Bench:
    """A few phantom patients at 32 pixels, a teacher that was trained on them, its fold teachers on disk.

    Attributes:
        model_dir: holds model.pt and model_fold<k>.pt for both folds.
        teacher: frozen and shared by all tests: attach students to it, never train it.
    """

    source: Any
    cohort: Any
    transform: Any
    task: Any
    arithmetic: Any
    teacher: Any
    model_dir: Path

    def network(self, *, seed: int = 0) -> Any:
        """An untrained network of the teacher's architecture."""
        return _tiny_network(seed)

    def loaders(self, **settings: Any) -> Any:
        """Loaders of the cohort, batches of 8."""
        from scripts.cohort.loaders import CohortLoaders

        return CohortLoaders(cohort=self.cohort, transform=self.transform, **{"batch_size": 8} | settings)

    def student(self, **settings: Any) -> Any:
        """A fresh student of the teacher."""
        from scripts.student.adapter import AdapterStudent

        values = {"scope": "decoder+head", "rank": 2, "alpha": 8.0, "dropout": 0.1, "seed": 0} | settings
        return AdapterStudent.attach(self.teacher, sample=self.loaders().sample("forget"), **values)

    def criterion(self, **settings: Any) -> Any:
        """How far a student is from the teacher to the goal."""
        from scripts.engines.criterion import build_criterion

        loaders = self.loaders()
        values = {"goal": "unlearn", "bound": 0.5, "reference": None, "teacher": self.teacher} | settings
        forget, selection = loaders.evaluation("forget"), loaders.evaluation("selection")
        return build_criterion(forget=forget, selection=selection, task=self.task, arithmetic=self.arithmetic, **values)


def _tiny_network(seed: int) -> Any:
    import torch
    from monai.networks.nets import BasicUNet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BasicUNet(2, 1, 1, features=(4, 4, 8, 8, 8, 4), norm=("batch", {}), act="relu")


def _train(network: Any, records: Any, transform: Any, *, epochs: int) -> Any:
    """A plain training loop, independent of the engines that are tested."""
    import torch
    from scripts.data.datasets import EpochLoader, make_dataset
    from scripts.objectives.supervised import supervised_loss
    from scripts.student.teacher import freeze

    loader = EpochLoader(make_dataset(records, transform), batch_size=8, shuffle=True)
    optimizer, loss = torch.optim.AdamW(network.parameters(), 1e-2), supervised_loss("segmentation")
    network.train()
    for epoch in range(epochs):
        loader.set_epoch(epoch)
        for batch in loader:
            optimizer.zero_grad()
            loss(network(batch["image"]), batch["label"]).backward()
            optimizer.step()
    return freeze(network)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The workbench of the tests of engines, record and report: about three seconds, once a session."""
    import torch
    from scripts.cohort import resolve
    from scripts.cohort.model_record import ModelRecord
    from scripts.data.phantom import Phantom
    from scripts.data.transforms import preprocessing
    from scripts.engines.arithmetic import Arithmetic
    from scripts.request import Request
    from scripts.tasks import build_task

    class Few(Phantom):
        """The first patients of each split, with ids that no file holds by chance."""

        def records(self) -> list[dict[str, Any]]:
            kept = [*range(TRAINING), *range(40, 40 + HELD_OUT), *range(60, 60 + HELD_OUT)]
            names = {f"p{index:03d}" for index in kept}
            found = [record for record in self._records(range(VIEWS)) if record["patient_id"] in names]
            return [{**record, "patient_id": f"patient-{record['patient_id']}"} for record in found]

    source = Few()
    folds = resolve(source, folds=FOLDS).folds
    # One patient of each fold, so that both fold teachers are needed.
    asked = tuple(sorted(min(unit for unit, own in folds.items() if own == fold) for fold in range(FOLDS)))
    request = Request("request-1", "patient", asked, "2026-01-31", "erasure_request")
    cohort = resolve(source, request=request, folds=FOLDS)
    transform = preprocessing(source, image_size=32)
    model_dir = tmp_path_factory.mktemp("models")
    teacher = _train(_tiny_network(0), cohort.training(), transform, epochs=30)
    torch.save(teacher.state_dict(), model_dir / "model.pt")
    everything = resolve(source, folds=FOLDS)
    ModelRecord.of(everything).write(model_dir / "model.pt")
    for fold in range(FOLDS):
        own = _train(_tiny_network(10 + fold), cohort.training(fold), transform, epochs=20)
        torch.save(own.state_dict(), model_dir / f"model_fold{fold}.pt")
        ModelRecord.of(everything, fold=fold).write(model_dir / f"model_fold{fold}.pt")
    return Bench(
        source=source,
        cohort=cohort,
        transform=transform,
        task=build_task("segmentation"),
        arithmetic=Arithmetic(device="cpu"),
        teacher=teacher,
        model_dir=model_dir,
    )


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository root, which is the bundle root."""
    return ROOT


@pytest.fixture(scope="session")
def data_root() -> Callable[[str], Path]:
    """`data_root("CHASEDB1")`: folder of a real data set; skips the test where it is absent.

    The environment variable UNLEARN_DATA names the folder that holds the data sets; default ../shared/data.
    """
    base = Path(os.environ.get("UNLEARN_DATA") or ROOT.parent / "shared" / "data")

    def find(name: str = "") -> Path:
        folder = base / name
        if not folder.is_dir():
            pytest.skip(f"real data set {name or 'folder'} not found; UNLEARN_DATA names the folder that holds it")
        return folder

    return find
