"""Tasks in this process, in several, and on a real Ray of this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from scripts.errors import InputError, user_error
from scripts.workers import run_tasks
from tests.worker_tasks import Note

REFUSAL = "folds: 1 is not allowed"


def notes(folder: Path, count: int, *, killed: int = -1, deaths: int = 0) -> list[Note]:
    return [Note(folder / f"{number}.txt", deaths=deaths if number == killed else 0) for number in range(count)]


def processes(tasks: list[Note]) -> set[str]:
    return {task.path.read_text() for task in tasks}


def test_one_worker_is_this_process(tmp_path: Path) -> None:
    tasks = notes(tmp_path, 2)
    run_tasks(tasks)
    assert processes(tasks) == {str(os.getpid())}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_left_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int) -> None:
    run_tasks(notes(tmp_path, 3), workers=workers)
    told = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in told] == ["1 of 3 made", "2 of 3 made"]
    assert all(line.endswith("minutes left") for line in told)
    run_tasks(notes(tmp_path, 1), workers=workers)
    assert not capsys.readouterr().out


def test_several_workers_are_others_and_what_was_lost_goes_on(tmp_path: Path) -> None:
    tasks = notes(tmp_path, 3, killed=1, deaths=1)
    with pytest.raises(InputError, match="reference_workers: 2: a process was ended from outside.*goes on from there"):
        run_tasks(tasks, workers=2)
    run_tasks(tasks, workers=2)
    assert str(os.getpid()) not in processes(tasks)


def test_the_first_error_ends_the_run_and_what_waits_is_not_begun(tmp_path: Path) -> None:
    bad = Note(tmp_path / "bad.txt", refusal=REFUSAL)
    # Nobody goes on before the bad one has begun, on whichever process the machine starts first.
    tasks = [replace(note, after=bad.path) for note in notes(tmp_path, 12)]
    tasks.insert(1, bad)
    with pytest.raises(InputError, match=REFUSAL):
        run_tasks(tasks, workers=2)
    assert not tasks[-1].path.exists()


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(InputError, match="reference_backend: 'dask' is not one of local, ray"):
        run_tasks([], backend="dask")


def test_without_ray_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="'ray' is not installed .pip install ray.; 'local' needs nothing"):
        run_tasks(notes(tmp_path, 1), backend="ray")


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray of this machine alone, whatever cluster the environment names."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.mark.slow
def test_ray_runs_the_tasks_here_and_again_where_a_worker_was_lost(tmp_path: Path, ray: None) -> None:
    tasks = notes(tmp_path, 3, killed=1, deaths=1)
    run_tasks(tasks, workers=2, backend="ray")
    assert str(os.getpid()) not in processes(tasks)
    assert tasks[1].path.with_suffix(".begun").read_text() == "xx"


@pytest.mark.slow
def test_ray_tells_what_a_task_refuses_and_what_was_lost_for_good(tmp_path: Path, ray: None) -> None:
    with pytest.raises(Exception) as caught:
        run_tasks([Note(tmp_path / "bad.txt", refusal=REFUSAL)], backend="ray")
    assert str(user_error(caught.value)) == REFUSAL
    (tmp_path / "lost").mkdir()
    tasks = notes(tmp_path / "lost", 2, killed=0, deaths=9)
    with pytest.raises(InputError, match="ray lost a worker for good .WorkerCrashedError.; what is whole is kept"):
        run_tasks(tasks, backend="ray")


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path, ray: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "not an address")
    with pytest.raises(InputError, match="ray cannot be reached at RAY_ADDRESS=not an address"):
        run_tasks(notes(tmp_path, 1), backend="ray")
