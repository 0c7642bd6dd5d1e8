"""A small pool of models, trained once a session and shared by all test processes; disks of a known size."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripts.attacks.quantisation import Quantised
from scripts.pool import preparation
from scripts.pool.mock_scoring import MockScoring
from tests.commands.common import FOLDS, FORGET, RESTORE, once, pool_settings, request_file, run
from tests.commands.disks import MEGABYTE, stand_in
from tests.commands.small_data import (
    TRAINING,
    classifier,
    run_settings,
    trained_patients,
    write_classes,
    write_datalist,
)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of this session; test processes side by side have the same one."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "commands"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def cheap() -> Iterator[None]:
    """A recipe of two steps for each method, one attack that trains nothing."""
    from tests.commands.test_prepare import CANDIDATES

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "candidates", lambda batch: (CANDIDATES[0], CANDIDATES[2]))
        patch.setattr(MockScoring, "attacks", lambda self, without: {"int8": Quantised(8)})
        yield


@pytest.fixture(scope="session")
def pool(shared: Path) -> Path:
    """Folder with model.pt, its best epoch, and a model_fold<k>.pt of each fold, its last: trained without a break."""
    folder = shared / "pool"
    with once(folder) as todo:
        if todo:
            for fold in range(-1, FOLDS):
                settings = pool_settings(folder, fold=fold)
                run("train", settings, run_id="single")
    return folder


@pytest.fixture(scope="session")
def finished(shared: Path, pool: Path) -> Path:
    """Folder with `forget`, `restore` and the request: a run after each of the two phases, without a break."""
    folder = shared / "finished"
    with once(folder) as todo:
        if todo:
            folder.mkdir()
            settings = {"model_dir": str(pool), "request": str(request_file(folder / "request.csv"))}
            run("forget", {**FORGET, **settings, "output_dir": str(folder / "forget")})
            shutil.copytree(folder / "forget", folder / "restore")
            run("restore", {**RESTORE, **settings, "output_dir": str(folder / "restore")})
    return folder


@pytest.fixture(scope="session")
def whole(shared: Path) -> Path:
    """A small datalist, teacher and fold teachers, and a run that was forgotten and restored, in one folder."""
    root = shared / "whole"
    with once(root) as todo:
        if todo:
            write_datalist(root / "data")
            run("train", run_settings(root, "train"))
            request_file(root / "request.csv", trained_patients(root / "models")[:1])
            for name in ("forget", "restore"):
                run(name, run_settings(root, name))
    return root


@pytest.fixture(scope="session")
def classified(shared: Path) -> Path:
    """A small datalist with class numbers, a teacher and two fold teachers, and a request for one patient."""
    root = shared / "classified"
    with once(root) as todo:
        if todo:
            write_classes(root / "data")
            run("train", {**TRAINING, **classifier(root), "output_dir": str(root / "trained")})
            request_file(root / "request.csv", trained_patients(root / "models")[:1])
    return root


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """A copy of all of it; nothing but the paths is new."""
    return Path(shutil.copytree(whole, tmp_path / "whole"))


@pytest.fixture
def request_csv(tmp_path: Path) -> Path:
    """Two patients of the phantom."""
    return request_file(tmp_path / "request.csv")


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """`small_disk("1m")`: an empty file system of that size; with read_only=True nobody can write to it.

    Where mounting is not permitted the system's refusals are imitated.
    """
    mounted: list[Path] = []

    def make(size: str, *, read_only: bool = False) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        options = f"size={size}" + (",ro" if read_only else "")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            stand_in(folder, monkeypatch, size=None if read_only else MEGABYTE * int(size.rstrip("m")))
        else:
            mounted.append(folder)
        return folder

    yield make
    # Lazily: the log of the last run is still open.
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)
