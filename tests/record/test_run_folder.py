"""The two parts of a run's output."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import processes
from scripts.errors import InputError
from scripts.record.run_folder import RunFolder


@pytest.fixture
def logs() -> Iterator[None]:
    """Close the run logs that a test opened."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.setLevel(logging.INFO)
    yield
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
        handler.close()


def test_patient_data_is_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = RunFolder(output_dir=tmp_path / "a" / "b", log=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.private.stat().st_mode) == 0o700
    assert folder.release.is_dir() and folder.root == tmp_path / "a" / "b"


def test_mode_is_put_right_in_an_older_folder(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o755)
    assert stat.S_IMODE(RunFolder(output_dir=tmp_path, log=False).private.stat().st_mode) == 0o700


def test_a_name_where_no_folder_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert RunFolder(name="request-1", log=False).root == Path("eval/request-1")
    assert (tmp_path / "eval" / "request-1" / "private").is_dir()


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_file_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"output_dir: .*file.* is a file; a folder is needed"):
        RunFolder(output_dir=tmp_path / "file" / below, log=False)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **settings: object) -> None:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match=r"output_dir: .*/run cannot be written to \(Permission denied\)"):
        RunFolder(output_dir=tmp_path / "run", log=False)


def test_state_is_merged_and_none_removes(tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    assert folder.read_state() == {}
    folder.note(state="trial", forget={"rounds": 2})
    folder.note(state="reverted", forget=None)
    assert RunFolder(output_dir=tmp_path, log=False).read_state() == {"state": "reverted"}


def test_manifest_lists_all_files_of_the_run_and_no_other(tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    (tmp_path / "own.txt").write_text("of the user")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "p01.png").write_bytes(b"")
    for name in ("private/cache/a/b.pt", "private/.hidden", "release/student.pt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    folder.write_manifest()
    folder.write_manifest()
    expected = ["private/.hidden", "private/cache/a/b.pt", "private/run.log", "release/student.pt"]
    assert json.loads(folder.manifest.read_text()) == {"files": expected}


def test_log_of_one_run_at_a_time(tmp_path: Path, logs: None) -> None:
    log = logging.getLogger("anything")
    one = RunFolder(output_dir=tmp_path / "one")
    log.info("first")
    again = RunFolder(output_dir=tmp_path / "one")  # the next step of a chain
    log.info("second")
    other = RunFolder(output_dir=tmp_path / "other")
    log.info("third")
    assert again.private == one.private
    lines = (one.private / "run.log").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["first", "second"]
    assert [line.split()[-1] for line in (other.private / "run.log").read_text().splitlines()] == ["third"]


def test_of_several_processes_the_first_keeps_the_log_and_each_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = RunFolder(output_dir=tmp_path, log=False)
    monkeypatch.setattr(processes, "rank", lambda: 1)
    before = list(logging.getLogger().handlers)
    second = RunFolder(output_dir=tmp_path)
    assert logging.getLogger().handlers == before
    assert second.cache == tmp_path / "private" / "cache_1"
    assert (second.checkpoints, second.release) == (first.checkpoints, first.release)
    monkeypatch.undo()
    assert first.cache == tmp_path / "private" / "cache"
