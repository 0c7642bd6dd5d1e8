"""Masks appear whole, in places of their own, and replace nothing but earlier masks."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image
from scripts.data.mask_files import SaveMaskd, is_earlier_mask
from scripts.errors import InputError

SHAPE = (6, 4)  # width, height


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "part").mkdir(parents=True)
    for name in ("a.png", "part/b.png"):
        Image.new("L", SHAPE, 90).save(folder / name)
    nib.save(nib.Nifti1Image(np.zeros((*SHAPE, 1), np.float32), np.eye(4)), folder / "v.nii.gz")
    return folder


def save(images: Path, out: Path, name: str = "a.png", **options) -> None:
    source = images / name
    shape = (1, *SHAPE, 1) if name.endswith(".nii.gz") else (1, *SHAPE)
    mask = MetaTensor(torch.ones(shape), meta={"filename_or_obj": str(source)})
    SaveMaskd(dataset_dir=str(images), output_dir=str(out), **options)({"pred": mask})


@pytest.mark.parametrize("name", ["a_mask.png", "v_mask.nii.gz"])
def test_an_earlier_mask_is_replaced(images, tmp_path, name) -> None:
    source = name.replace("_mask", "")
    save(images, tmp_path / "out", source)
    first = (tmp_path / "out" / name).read_bytes()
    save(images, tmp_path / "out", source)
    assert (tmp_path / "out" / name).read_bytes() == first
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@pytest.mark.parametrize("kind", ["picture", "link", "folder", "text"])
@pytest.mark.parametrize("name", ["a_mask.png", "v_mask.nii.gz"])
def test_what_is_no_mask_of_ours_is_never_replaced(images, tmp_path, name, kind) -> None:
    place = tmp_path / "out" / name
    place.parent.mkdir()
    if kind == "picture":
        place.write_bytes((images / name.replace("_mask", "")).read_bytes())
    elif kind == "link":
        place.symlink_to(images / name.replace("_mask", ""))
    elif kind == "folder":
        place.mkdir()
    else:
        place.write_text("notes")
    before = {path: path.read_bytes() for path in images.rglob("*") if path.is_file()}
    # Before the mask of any image of the folder is written.
    with pytest.raises(InputError, match=f"{name}: is there already and is no mask of an earlier run"):
        save(images, tmp_path / "out", "part/b.png")
    assert before == {path: path.read_bytes() for path in before}
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@pytest.mark.parametrize("name", ["a_mask.png", "v_mask.nii.gz", "v_mask.nii"])
def test_a_damaged_file_is_known_as_ours_or_not_and_ends_no_command(images, tmp_path, name) -> None:
    """Bytes changed and cut at random, as a full disk or another program may leave them."""
    draw = np.random.default_rng(0)
    source = "a.png" if name.endswith(".png") else "v.nii.gz"
    save(images, tmp_path / "out", source, **({"output_ext": ".nii"} if name.endswith(".nii") else {}))
    whole = (tmp_path / "out" / name).read_bytes()
    place = tmp_path / name
    answers = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for at in draw.integers(0, len(whole), draw.integers(1, 12)):
            damaged[at] = draw.integers(0, 256)
        place.write_bytes(damaged[: draw.integers(1, len(whole) + 1)] if draw.random() < 0.5 else damaged)
        answers.add(is_earlier_mask(place))
    assert False in answers


@pytest.mark.parametrize("place", ["out", "out/part"])
def test_a_file_where_a_folder_is_needed_is_refused(images, tmp_path, place) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("notes")
    with pytest.raises(InputError, match=f"output_dir: .*{place} is a file"):
        save(images, tmp_path / "out")


def test_a_folder_called_like_a_mask_is_refused(images, tmp_path) -> None:
    (images / "a_mask.png").mkdir()
    Image.new("L", SHAPE).save(images / "a_mask.png" / "c.png")
    with pytest.raises(InputError, match="a_mask.png: would be a mask and a folder of masks"):
        save(images, tmp_path / "out")
    save(images, tmp_path / "out", output_postfix="other")
    assert (tmp_path / "out" / "a_other.png").is_file()


@pytest.mark.parametrize("name", ["a.png", "v.nii.gz"])
def test_structures_that_overlap_get_a_file_each(images, tmp_path, name) -> None:
    shape = (*SHAPE, 1) if name.endswith(".nii.gz") else SHAPE
    masks = torch.stack([torch.ones(shape), torch.zeros(shape)])
    mask = MetaTensor(masks, meta={"filename_or_obj": str(images / name)})
    saving = SaveMaskd(dataset_dir=str(images), output_dir=str(tmp_path / "out"), structures=2)
    saving({"pred": mask})
    stem, _, suffix = name.partition(".")
    found = []
    for number in (1, 2):
        path = tmp_path / "out" / f"{stem}_mask_{number}.{suffix}"
        found.append(np.asarray(nib.load(path).dataobj if "nii" in suffix else Image.open(path)).max())
    assert found == ([1, 0] if "nii" in suffix else [255, 0])
    with pytest.raises(InputError, match="answers for 2 structures, where 1 are written"):
        SaveMaskd(dataset_dir=str(images), output_dir=str(tmp_path / "other"))({"pred": mask})
    assert not (tmp_path / "other").exists()
