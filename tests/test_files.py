"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from scripts.errors import InputError
from scripts.files import announce, atomic_path, read_json, reading, watch, write_bytes, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "a.pt"
    with atomic_path(target) as temporary:
        temporary.write_bytes(b"new")
        assert not target.exists() and temporary.parent == target.parent and temporary.suffix == ".pt"
    assert target.read_bytes() == b"new" and names(target.parent) == ["a.pt"]


def test_interruption_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as temporary:
        temporary.write_text("half of the new")
        raise KeyboardInterrupt
    assert target.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_mode_is_that_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_names_the_file_that_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / "a.pt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.pt") and names(tmp_path) == []


def test_an_error_about_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / "a.pt"):
        raise OSError(errno.EACCES, "Permission denied", "elsewhere")
    assert caught.value.filename == "elsewhere"


def test_bytes_and_text_replace_what_was_there(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"\x00\xff")
    assert (tmp_path / "a").read_bytes() == b"\x00\xff"
    write_text(tmp_path / "a", "Grüße\n")
    assert (tmp_path / "a").read_bytes() == "Grüße\n".encode()


def test_json_is_the_same_bytes_for_the_same_content(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None], "a": "ü"})
    write_json(tmp_path / "b.json", {"a": "ü", "b": [1, 2.5, None]})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": "ü", "b": [1, 2.5, None]}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_is_no_number(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"figure": value})
    assert names(tmp_path) == []


def test_a_temporary_file_of_a_killed_process_is_left_alone(tmp_path: Path) -> None:
    left = tmp_path / f".a.txt.{os.getpid()}_0.txt"
    left.write_text("half")
    write_text(tmp_path / "a.txt", "whole")
    assert left.read_text() == "half" and (tmp_path / "a.txt").read_text() == "whole"


def test_a_watcher_is_told_before_a_file_appears(tmp_path: Path) -> None:
    told: list[tuple[str, str, bool]] = []
    watch(tmp_path / "run", lambda path, kind: told.append((path.name, kind, path.exists())))
    write_text(tmp_path / "run" / "deep" / "a", "x")
    write_text(tmp_path / "elsewhere", "x")
    announce(tmp_path / "run" / "b", kind="folder")
    assert [(name, kind) for name, kind, _ in told if not name.startswith(".")] == [("a", "written"), ("b", "folder")]
    assert [kind for name, kind, _ in told if name.startswith(".")] == ["temporary"]
    assert not any(there for _, _, there in told)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"null", b'"text"', b"\0\0", b"\xff\xfe{}", b'{"a": NaN}', b"{" * 100_000, b"[" * 100_000],
)
def test_a_damaged_record_is_named_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"record.json: is damaged.*; run it again$"):
        read_json(path, remedy="run it again")


def test_a_record_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="none.json: no such file; run it again"):
        read_json(tmp_path / "none.json", remedy="run it again")
    with pytest.raises(InputError, match="is no regular file; run it again"):
        read_json(tmp_path, remedy="run it again")
    with pytest.raises(InputError, match="; run it again"):
        read_json(tmp_path / ("x" * 300), remedy="run it again")
    write_json(tmp_path / "a.json", {"a": 1})
    assert read_json(tmp_path / "a.json", remedy="") == {"a": 1}
    monkeypatch.setattr("scripts.files.LARGEST", 3)
    with pytest.raises(InputError, match="bytes are more than this bundle writes"):
        read_json(tmp_path / "a.json", remedy="run it again")


def test_content_of_another_form_is_the_files_fault() -> None:
    for wrong in (lambda: {}["a"], lambda: [][0], lambda: int("x"), lambda: None.x, lambda: 1 + ""):  # type: ignore[attr-defined, operator]
        with pytest.raises(InputError, match="a.json: is damaged, not what this bundle writes; mend it"):
            with reading("a.json", remedy="mend it"):
                wrong()
    with pytest.raises(KeyboardInterrupt), reading("a.json", remedy=""):
        raise KeyboardInterrupt
