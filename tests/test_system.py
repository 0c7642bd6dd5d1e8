"""What systems do in different ways: the parts that this one lacks are told by stand-ins for Windows' modules."""

from __future__ import annotations

import ast
import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from scripts import system

POSIX_ONLY = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix"}


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT)


@pytest.mark.parametrize("folder", ["scripts", "bundle"])
def test_modules_that_windows_lacks_are_imported_in_one_place(repository: Path, folder: str) -> None:
    found = set()
    for path in (repository / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if POSIX_ONLY & set(names):
                found.add(path.relative_to(repository).as_posix())
    assert found == ({"scripts/system.py"} if folder == "scripts" else set())


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "lock"), opened(tmp_path / "lock")
    assert system.lock(first) and not system.lock(second)
    os.close(first)
    assert system.lock(second)
    os.close(second)


def test_windows_locks_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, int]] = []

    def locking(descriptor: int, mode: int, count: int) -> None:
        if taken:
            raise OSError(errno.EACCES, "Permission denied")
        taken.append((mode, count))

    monkeypatch.setattr(system, "fcntl", None)
    monkeypatch.setattr(system, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    number = opened(tmp_path / "lock")
    assert system.lock(number) and taken == [(2, 1)] and not system.lock(number)
    os.close(number)


def test_a_system_without_locks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "fcntl", None)
    monkeypatch.setattr(system, "msvcrt", None)
    with pytest.raises(OSError) as found:
        system.lock(-1)
    assert found.value.errno == errno.ENOLCK


@pytest.mark.parametrize(("platform", "factor"), [("linux", 1024), ("darwin", 1)])
def test_the_peak_is_in_bytes(monkeypatch: pytest.MonkeyPatch, platform: str, factor: int) -> None:
    counted = SimpleNamespace(getrusage=lambda who: SimpleNamespace(ru_maxrss=1_000), RUSAGE_SELF=0)
    monkeypatch.setattr(system, "resource", counted)
    monkeypatch.setattr(sys, "platform", platform)
    assert system.peak_memory() == 1_000 * factor


def test_the_peak_on_windows_is_psutils(monkeypatch: pytest.MonkeyPatch) -> None:
    known = system.peak_memory()
    monkeypatch.setattr(system, "resource", None)
    assert known / 10 < system.peak_memory() <= known * 1.01  # here psutil knows the present size alone


def test_a_mount_for_reading_is_told_where_the_system_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not system.read_only(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert system.read_only(tmp_path)
    monkeypatch.delattr(os, "statvfs")
    assert not system.read_only(tmp_path)
