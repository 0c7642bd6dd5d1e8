"""What of a folder is segmented, what is passed over with a word, and a mask name for each image."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from scripts.data import notices
from scripts.data.image_folder import check_extension, listing, mask_names, report
from scripts.errors import InputError


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names_of(folder: Path, **options) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in listing(folder, **options).images]


def test_hidden_files_and_other_kinds_are_passed_over_with_a_count(tmp_path, capsys) -> None:
    notices._SAID.clear()
    touched(tmp_path, "a.png", "._a.png", ".DS_Store", ".ipynb_checkpoints/a.png", "__MACOSX/._a.png", "x.dcm", "y.dcm")
    found = listing(tmp_path)
    assert [path.name for path in found.images] == ["a.png"]
    report(found, folder=tmp_path)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert "4 hidden" in said[0] and "._a.png" in said[0]
    assert "2 files are neither pictures nor NIfTI" in said[1] and ".dcm (2)" in said[1]


def test_what_lies_in_the_output_folder_is_no_input(tmp_path) -> None:
    touched(tmp_path, "a.png", "masks/a_mask.png", "masks/deep/b_mask.png", "other/c.png")
    assert names_of(tmp_path, output_dir=tmp_path / "masks") == ["a.png", "other/c.png"]
    for folder in (tmp_path, tmp_path.parent):
        with pytest.raises(InputError, match="output_dir: .* is or holds the folder of the images"):
            listing(tmp_path, output_dir=folder)


def test_links_stay_inside(tmp_path) -> None:
    touched(tmp_path / "in", "a.png", "part/b.png")
    touched(tmp_path / "out", "c.png")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in" / "part")
    found = listing(tmp_path / "in")
    assert len(found.images) == 2 and found.linked == ["again"]
    for name, target in (("link.png", "out/c.png"), ("link", "out")):
        link = tmp_path / "in" / name
        link.symlink_to(tmp_path / target)
        with pytest.raises(InputError, match=f"{name}: the link leads out of"):
            listing(tmp_path / "in")
        link.unlink()


def test_every_mask_has_a_name_of_its_own(tmp_path) -> None:
    found = touched(
        tmp_path, "scan.png", "scan.jpg", "scan.jpg.png", "Scan.png", "v.nii", "v.nii.gz", "one.tif", "sub/scan.png"
    )
    names = mask_names(listing(found).images, dataset_dir=found, postfix="mask")
    written = {str(Path(image).relative_to(found)): path.as_posix() for image, path in names.items()}
    assert len({name.casefold() for name in written.values()}) == 8
    assert written["one.tif"] == "one_mask.png" and written["sub/scan.png"] == "sub/scan_mask.png"
    assert written["scan.jpg"] == "scan.jpg_mask.png"
    assert written["v.nii"] == "v.nii_mask.nii.gz" and written["v.nii.gz"] == "v.nii.gz_mask.nii.gz"


@pytest.mark.parametrize(
    ("extension", "endings"),
    [
        ("", (".png", ".nii.gz")),
        (".png", (".png", ".nii.gz")),
        (".nii", (".png", ".nii")),
        (".nii.gz", (".png", ".nii.gz")),
    ],
)
def test_a_mask_is_of_the_kind_of_its_image(tmp_path, extension, endings) -> None:
    touched(tmp_path, "a.jpg", "b.nii.gz")
    names = mask_names(
        listing(tmp_path).images, dataset_dir=tmp_path, postfix="m", extension=check_extension(extension)
    )
    assert [path.name for path in names.values()] == [f"a_m{endings[0]}", f"b_m{endings[1]}"]


def test_a_suffix_that_loses_values_is_refused() -> None:
    with pytest.raises(InputError, match="output_ext: '.jpg' is not one of .png, .nii.gz, .nii"):
        check_extension(".jpg")


def test_an_empty_name_is_not_the_working_folder() -> None:
    with pytest.raises(InputError, match="dataset_dir: is empty"):
        listing("")


def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path, monkeypatch) -> None:
    touched(tmp_path, "a.png", "closed/b.png")
    scan = os.scandir

    def closed(path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(InputError, match="closed: the folder cannot be read"):
        listing(tmp_path)


def test_names_of_files_cannot_write_to_the_terminal(capsys) -> None:
    notices._SAID.clear()
    notices.notice("a\x1b]0;title\x07, b\udcff.txt")
    assert capsys.readouterr().out == "warning: a\\x1b]0;title\\x07, b\\udcff.txt\n"
