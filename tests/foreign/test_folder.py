"""The folder of a foreign bundle: what is refused by name, and what its digest follows from."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError
from scripts.foreign.folder import ForeignFolder


def refused(path: Path) -> str:
    with pytest.raises(InputError) as found:
        ForeignFolder(path)
    return str(found.value)


def test_the_config_files_are_found(theirs: Any) -> None:
    found = ForeignFolder(theirs.folder)
    assert found.train == theirs.folder.resolve() / "configs" / "train.json"
    assert found.checkpoint == theirs.folder.resolve() / "models" / "model.pt"


def test_yaml_is_taken_where_there_is_no_json(theirs: Any) -> None:
    (theirs.folder / "configs" / "train.json").rename(theirs.folder / "configs" / "train.yaml")
    assert ForeignFolder(theirs.folder).train.suffix == ".yaml"


@pytest.mark.parametrize("name", ["train.json", "inference.json", "metadata.json"])
def test_a_missing_file_is_named(theirs: Any, name: str) -> None:
    (theirs.folder / "configs" / name).unlink()
    assert name.partition(".")[0] in refused(theirs.folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "none")


@pytest.mark.parametrize("entry", ["../../evil.py", "/etc/evil.py", "a/../../evil.py", "C:/evil.py", "..\\evil.py"])
def test_an_archive_that_would_write_outside(tmp_path: Path, entry: str) -> None:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("bundle/LICENSE", "")
        archive.writestr(zipfile.ZipInfo(entry), "")
    found = refused(tmp_path / "bundle.zip")
    assert "outside" in found
    assert entry.replace("\\", "/").rsplit("/", 1)[-1] in found


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("bundle/LICENSE", "")
    assert "unpack it" in refused(tmp_path / "bundle.zip")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "bundle.zip"]


def test_a_link_that_leads_out(theirs: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}", encoding="utf-8")
    (theirs.folder / "configs" / "more.json").symlink_to(tmp_path / "secret.json")
    assert "more.json" in refused(theirs.folder)


def test_the_digest_follows_all_that_may_run(theirs: Any) -> None:
    before = theirs.digest
    (theirs.folder / "models" / "model.pt").write_bytes(b"other weights")
    assert theirs.digest == before
    (theirs.folder / "models" / "helper.py").write_text("", encoding="utf-8")
    after = theirs.digest
    assert after != before
    (theirs.folder / "models" / "helper.py").rename(theirs.folder / "models" / "help.py")
    assert theirs.digest not in (before, after)
