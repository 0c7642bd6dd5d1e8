"""Inference on files of every kind: the mask lies on the image as its owner sees it, or the file is refused by name."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import ConfigWorkflow
from PIL import Image
from scripts.errors import user_error

TURNED = np.array([[0, -1.5, 0, 40], [0, 0, 2.5, -7], [-1, 0, 0, 3], [0, 0, 0, 1.0]])


def infer(folder: Path, images: Path, output: Path, **settings) -> None:
    """The shipped workflow in this process."""
    workflow = ConfigWorkflow(
        config_file=str(folder / "configs/inference.yaml"),
        workflow_type="inference",
        run_id="infer",
        bundle_root=str(folder),
        dataset_dir=str(images),
        output_dir=str(output),
        device="cpu",
        **settings,
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def refusal(folder: Path, images: Path, output: Path, **settings) -> str:
    with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; what counts is the cause
        infer(folder, images, output, **settings)
    error = user_error(caught.value)
    assert error is not None and error.exit_code == 2, caught.value
    return str(error)


@pytest.fixture
def disc(repository_bundle: Path) -> np.ndarray:
    """A picture that the shipped model segments, cut so that rows and columns differ."""
    return np.asarray(Image.open(repository_bundle / "sample_data" / "synthetic_01.png").convert("L"))[:, 4:]


def masked(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)) > 0


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def test_masks_lie_on_photographs_as_shown(repository_bundle, disc, images, tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(disc).save(images / "plain.png")
    Image.fromarray(np.ascontiguousarray(np.rot90(disc))).save(images / "turned.png", exif=exif)
    infer(repository_bundle, images, tmp_path / "out")
    plain = masked(tmp_path / "out/plain_mask.png")
    assert plain.shape == disc.shape and plain.any()
    assert np.array_equal(masked(tmp_path / "out/turned_mask.png"), plain)
    assert not Image.open(tmp_path / "out/turned_mask.png").getexif()


def test_one_picture_in_8_and_16_bits_has_one_mask(repository_bundle, disc, images, tmp_path) -> None:
    Image.fromarray(disc).save(images / "eight.png")
    Image.fromarray(disc.astype(np.uint16) * 257).save(images / "full.tif")
    infer(repository_bundle, images, tmp_path / "out", inference_batch=2)
    assert np.array_equal(masked(tmp_path / "out/eight_mask.png"), masked(tmp_path / "out/full_mask.png"))


@pytest.mark.parametrize("affine", [np.diag([1.9, 1.9, 4, 1]), np.diag([-2.0, 3.0, -1.0, 1]), TURNED])
@pytest.mark.parametrize("output_ext", ["", ".png", ".nii"])
def test_the_mask_of_a_slice_has_its_shape_and_affine(repository_bundle, disc, images, tmp_path, affine, output_ext):
    stored = (disc / 255).astype(np.float32)[..., None]
    nib.save(nib.Nifti1Image(stored, affine), images / "slice.nii.gz")
    infer(repository_bundle, images, tmp_path / "out", output_ext=output_ext)
    suffix = ".nii" if output_ext == ".nii" else ".nii.gz"
    mask = nib.load(tmp_path / f"out/slice_mask{suffix}")
    assert mask.shape == stored.shape and np.allclose(mask.affine, affine, atol=1e-4)
    assert mask.get_data_dtype() == np.uint8 and set(np.unique(mask.dataobj)) == {0, 1}
    assert dice(np.asarray(mask.dataobj) > 0, stored > 0.6) > 0.5


def test_pictures_and_slices_of_one_folder(repository_bundle, disc, images, tmp_path) -> None:
    nib.save(nib.Nifti1Image((disc / 255).astype(np.float32), np.eye(4)), images / "scan.nii")
    Image.fromarray(disc).save(images / "scan.png")
    Image.fromarray(disc[:50]).save(images / "scan.jpg")
    infer(repository_bundle, images, tmp_path / "out")
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == ["scan.jpg_mask.png", "scan.nii_mask.nii.gz", "scan.png_mask.png"]
    assert masked(tmp_path / "out/scan.jpg_mask.png").shape == disc[:50].shape
    assert nib.load(tmp_path / "out/scan.nii_mask.nii.gz").shape == disc.shape


def broken(images: Path, kind: str, disc: np.ndarray) -> tuple[str, str]:
    """Write a file that is not understood; its name and what is said of it."""
    grey = (disc / 255).astype(np.float32)
    if kind == "nan":
        grey[3, 4] = np.nan
    content = {
        "nan": (grey[..., None], "not finite"),
        "complex": (grey.astype(np.complex64)[..., None], "type complex64"),
        "volume": (np.stack([grey] * 8, -1), "2 spatial dimensions"),
        "channels": (np.stack([grey] * 2, -1)[:, :, None], "2 channels where in_channels is 1"),
    }
    if kind in content:
        values, words = content[kind]
        nib.save(nib.Nifti1Image(values, np.eye(4)), images / "odd.nii.gz")
        return "odd.nii.gz", words
    if kind == "float":
        Image.fromarray(grey).save(images / "odd.tif")
        return "odd.tif", "no known range"
    pages = [Image.fromarray(disc), Image.fromarray(255 - disc)]
    pages[0].save(images / "odd.tif", save_all=True, append_images=pages[1:])
    return "odd.tif", "holds 2 pages"


@pytest.mark.parametrize("kind", ["nan", "complex", "volume", "channels", "float", "pages"])
def test_what_is_not_understood_is_refused_by_name(repository_bundle, disc, images, tmp_path, kind) -> None:
    name, words = broken(images, kind, disc)
    said = refusal(repository_bundle, images, tmp_path / "out")
    assert name in said and words in said
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_second_run_finds_the_same_images(repository_bundle, disc, images) -> None:
    Image.fromarray(disc).save(images / "a.png")
    (images / "._a.png").write_bytes(b"\x00\x05\x16\x07")
    for _ in range(2):
        infer(repository_bundle, images, images / "masks")
    assert sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png")) == [
        "._a.png",
        "a.png",
        "masks/a_mask.png",
    ]
    assert "output_dir" in refusal(repository_bundle, images, images)


def test_a_batch_of_pictures_and_slices(repository_bundle, disc, images, tmp_path) -> None:
    nib.save(nib.Nifti1Image((disc / 255).astype(np.float32)[..., None], TURNED), images / "a.nii")
    Image.fromarray(disc).save(images / "b.png")
    infer(repository_bundle, images, tmp_path / "out", inference_batch=2)
    assert nib.load(tmp_path / "out/a_mask.nii.gz").shape == (*disc.shape, 1)
    assert masked(tmp_path / "out/b_mask.png").any()
