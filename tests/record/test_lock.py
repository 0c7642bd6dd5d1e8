"""One command at a time in a folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts import processes
from scripts.errors import InputError, Refused
from scripts.record.lock import LOCK, lock_folder, unlock_folder

HOLD = "import sys\nfrom scripts.record.lock import lock_folder\nlock_folder(sys.argv[1])\nprint('held', flush=True)\n"


@pytest.fixture
def holder(tmp_path: Path, repository: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds `tmp_path` until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD + "sys.stdin.read()", str(tmp_path)],
        cwd=repository,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path, holder) -> None:
    with pytest.raises(Refused, match=f"output_dir: another command is at work in {tmp_path}; wait") as refused:
        lock_folder(tmp_path)
    assert refused.value.exit_code == 6
    link = tmp_path.with_name("link")
    link.symlink_to(tmp_path)
    with pytest.raises(Refused, match="model_dir: another command"):
        lock_folder(link, setting="model_dir")
    holder.kill()
    holder.wait()
    lock_folder(tmp_path)
    unlock_folder(tmp_path)
    assert not (tmp_path / LOCK).exists()


def test_the_same_process_may_take_it_again(tmp_path: Path, repository: Path) -> None:
    lock_folder(tmp_path)
    lock_folder(tmp_path)
    code = subprocess.run([sys.executable, "-c", HOLD, str(tmp_path)], cwd=repository, capture_output=True).returncode
    assert code != 0
    (tmp_path / LOCK).unlink()  # whoever removes the file removes the lock: it is taken anew
    lock_folder(tmp_path)
    assert (tmp_path / LOCK).exists()
    unlock_folder(tmp_path)
    unlock_folder(tmp_path)


def test_of_several_processes_of_a_run_only_the_first_takes_it(tmp_path: Path, monkeypatch, holder) -> None:
    monkeypatch.setattr(processes, "rank", lambda: 1)
    lock_folder(tmp_path)


def test_a_lock_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / LOCK).mkdir()
    with pytest.raises(InputError, match=r"output_dir: .* cannot be locked"):
        lock_folder(tmp_path)
