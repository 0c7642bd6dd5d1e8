"""The two parts of a run's output."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts import processes
from scripts.errors import InputError, Refused
from scripts.files import announce, atomic_path, write_bytes
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
        assert not (tmp_path / "a").exists()
        folder.begin()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.private.stat().st_mode) == 0o700
    assert folder.release.is_dir() and folder.root == tmp_path / "a" / "b"


def test_mode_is_put_right_in_an_older_folder(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o755)
    folder = RunFolder(output_dir=tmp_path, log=False)
    assert stat.S_IMODE(folder.private.stat().st_mode) == 0o755
    folder.begin()
    assert stat.S_IMODE(folder.private.stat().st_mode) == 0o700


def test_a_name_where_no_folder_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert RunFolder(name="request-1", log=False).root == Path("eval/request-1")


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
        RunFolder(output_dir=tmp_path / "run", log=False).begin()


@pytest.mark.parametrize("name", ["nul\0", "x" * 300])
def test_a_name_that_no_folder_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="output_dir: "):
        RunFolder(output_dir=tmp_path / name, log=False).begin()


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
        write_bytes(tmp_path / name, b"")
    (tmp_path / "private" / "notes.txt").write_text("of the user")
    (tmp_path / "release" / "link").symlink_to(tmp_path / "own.txt")
    (tmp_path / "release" / "student.pt").unlink()
    folder.write_manifest()
    folder.write_manifest()
    expected = ["private/.hidden", "private/cache/a/b.pt"]
    assert json.loads(folder.manifest.read_text()) == {"files": expected}
    assert (folder.foreign("private"), folder.foreign("release")) == (["private/notes.txt"], ["release/link"])


def test_log_of_one_run_at_a_time(tmp_path: Path, logs: None) -> None:
    log = logging.getLogger("anything")
    one = RunFolder(output_dir=tmp_path / "one")
    one.begin()
    log.info("first")
    again = RunFolder(output_dir=tmp_path / "one")  # the next step of a chain
    again.begin()
    log.info("second")
    other = RunFolder(output_dir=tmp_path / "other")
    write_bytes(other.student, b"")
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


@pytest.mark.parametrize("name", ["private/my_notes.csv", "release/old.pt", "private/sub/link"])
def test_a_folder_that_holds_files_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).symlink_to("nowhere") if name.endswith("link") else (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refused, match=f"{name} was not written by this run"):
        RunFolder(output_dir=tmp_path, log=False).note(state="trial")
    assert sorted(tmp_path.rglob("*")) == before


def test_files_are_noted_before_they_appear(tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    with pytest.raises(KeyboardInterrupt), atomic_path(folder.checkpoint("forget")) as temporary:
        name = temporary.relative_to(tmp_path).as_posix()
        assert folder.journal.names("temporary") == {name}
        assert folder.journal.names("written") == {"private/checkpoints/forget.pt"}
        raise KeyboardInterrupt
    announce(folder.private / "cache" / "frozen" / "rows.bin")
    assert "private/cache/frozen/rows.bin" in folder.journal.names("written")


def test_a_line_that_a_kill_cut_off_is_of_no_file(tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial")
    path = folder.journal.path
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"written": "priv')
    RunFolder(output_dir=tmp_path, log=False).take()
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line", [b"garbage", b"[]", b'{"written": 3}', b'{"written": "private/../../x"}', b'{"written": "/etc/x"}', b"\xff"]
)
def test_a_damaged_journal_is_refused(tmp_path: Path, line: bytes) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial")
    with folder.journal.path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(InputError, match=r"written.jsonl: line \d is damaged"):
        folder.foreign("private")


@pytest.mark.parametrize("content", [b"{x", b"[]", b"3", b"null", b"", b"\xff\xfe", b'{"a": NaN}', b"\0", b"[" * 99999])
def test_a_damaged_record_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial")
    folder.state_file.write_bytes(content)
    for read in (folder.read_state, folder.refuse_ended, folder.require_trial, lambda: folder.note(state="trial")):
        with pytest.raises(InputError, match=r"state.json: .*; run forget again, in another output_dir"):
            read()


def test_a_record_that_is_gone_is_never_read_as_a_new_run(tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    write_bytes(folder.adapter / "student.json", b"{}")
    folder.refuse_ended()  # forgetting that was killed before it wrote the record goes on
    with pytest.raises(Refused, match=r"state.json: is missing, though .*student.json is there"):
        folder.read_state()
    folder.note(state="trial", goal="unlearn")
    with pytest.raises(Refused, match=r"resolution.json: is missing"):
        folder.require_trial()
    assert folder.require_trial(resolution=False)["goal"] == "unlearn"
    folder.state_file.unlink()
    for read in (folder.read_state, folder.refuse_ended, lambda: folder.note(goal="unlearn")):
        with pytest.raises(Refused, match=r"state.json: is missing, though the run wrote it"):
            read()


def test_a_trial_without_a_goal_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial")
    write_bytes(folder.adapter / "student.json", b"{}")
    with pytest.raises(Refused, match="does not say for which goal"):
        folder.require_trial(resolution=False)


def test_what_was_read_before_another_command_wrote_is_not_trusted(tmp_path: Path) -> None:
    waiting = RunFolder(output_dir=tmp_path, log=False)
    code = (
        f"from scripts.record.run_folder import RunFolder; RunFolder(output_dir={str(tmp_path)!r}).note(state='trial')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(Refused, match="another command was at work in .* meanwhile; run this one again"):
        waiting.note(state="trial")
    RunFolder(output_dir=tmp_path, log=False).note(state="trial")


def test_a_folder_is_given_back_where_the_process_goes_on(tmp_path: Path, logs: None) -> None:
    folder = RunFolder(output_dir=tmp_path)
    folder.note(state="trial")
    folder.end()
    code = f"from scripts.record.run_folder import RunFolder; RunFolder(output_dir={str(tmp_path)!r}).note(goal='x')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert RunFolder(output_dir=tmp_path, log=False).read_state() == {"state": "trial", "goal": "x"}


@pytest.mark.parametrize("end", [b"garbage", b"\0", b'{"unknown": "x'])
def test_an_end_of_the_journal_that_no_kill_leaves_is_refused(tmp_path: Path, end: bytes) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial")
    folder.journal.path.write_bytes(folder.journal.path.read_bytes() + end)
    before = folder.journal.path.read_bytes()
    with pytest.raises(InputError, match=r"written.jsonl: line \d is damaged"):
        RunFolder(output_dir=tmp_path, log=False).take()
    assert folder.journal.path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b'{"writ'])
def test_a_journal_that_lost_its_entries_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial")
    folder.journal.path.write_bytes(content)
    with pytest.raises(Refused, match="written.jsonl: does not name state.json"):
        RunFolder(output_dir=tmp_path, log=False).take()


@pytest.mark.parametrize("state", [7, "done", ["trial"], {}])
def test_a_state_that_no_run_has_is_refused_by_its_file(tmp_path: Path, state: object) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    folder.note(state="trial", goal="unlearn")
    folder.state_file.write_text(json.dumps({"state": state, "goal": "unlearn"}))
    with pytest.raises(InputError, match="state.json: is damaged"):
        RunFolder(output_dir=tmp_path, log=False).require_trial()
