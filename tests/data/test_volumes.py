"""A NIfTI file is read by its header: axes turned, grids compared, values checked, or refused by its name."""

from __future__ import annotations

import itertools
import json

import nibabel as nib
import numpy as np
import pytest
from nibabel import cifti2
from nibabel.orientations import apply_orientation, inv_ornt_aff
from scripts.data import build_source
from scripts.data.loading import LoadMask, LoadPicture, LoadVolume
from scripts.data.transforms import preprocessing
from scripts.data.volumes import orientation, read_volume, turned_back, upright
from scripts.errors import InputError

SHAPE = (5, 6, 7)
AFFINE = np.array([[0.9, 0.05, 0, 10], [-0.04, 1.1, 0, -3], [0, 0, 2.0, 7], [0, 0, 0, 1]])
TURNS = [
    np.array([[axis, flip] for axis, flip in zip(order, flips, strict=True)])
    for order in itertools.permutations(range(3))
    for flips in ((1, 1, 1), (-1, 1, -1), (-1, -1, -1))
]


def saved(path, values, affine=AFFINE) -> str:
    nib.save(nib.Nifti1Image(values, affine), path)
    return str(path)


def turned(values, affine, turn):
    """The same voxels stored with other axes, and a header that says so."""
    return np.ascontiguousarray(apply_orientation(values, turn)), affine @ inv_ornt_aff(turn, values.shape)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: str(turn.ravel().tolist()))
def test_files_of_one_position_look_alike_however_they_are_stored(tmp_path, values, turn) -> None:
    path = saved(tmp_path / "v.nii.gz", *turned(values, AFFINE, turn))
    found = upright(read_volume(path))
    assert np.array_equal(found.values[0], values) and np.allclose(found.affine, AFFINE, atol=1e-5)
    stored = read_volume(path)
    back = turned_back(found.values, orientation(stored.affine, path=path))
    assert np.array_equal(back, stored.values)


@pytest.mark.parametrize("size", [None, (10, 3, 7)])
def test_the_spacing_follows_the_grid_of_the_network(tmp_path, values, size) -> None:
    entry = {"image": saved(tmp_path / "v.nii", values), "label": saved(tmp_path / "m.nii", (values > 0).astype("u1"))}
    (tmp_path / "list.json").write_text(json.dumps([{**entry, "image": "v.nii", "label": "m.nii", "patient_id": "1"}]))
    source = build_source("datalist", datalist=tmp_path / "list.json", spatial_dims=3)
    item = preprocessing(source, image_size=size, normalise="zscore")(source.records()[0])
    voxel, shape = np.linalg.norm(AFFINE[:3, :3], axis=0), np.array(item["image"].shape[1:])
    assert item["spacing"].numpy() == pytest.approx(voxel * SHAPE / shape, rel=1e-5)
    assert set(item) == {"image", "label", "image_id", "patient_id", "spacing"}


def test_of_a_slice_the_two_axes_that_are_left_have_a_spacing(tmp_path, values) -> None:
    item = LoadVolume(spatial_dims=2)({"image": saved(tmp_path / "v.nii", values[:, :1])})
    voxel = np.linalg.norm(AFFINE[:3, :3], axis=0)
    assert item["extent"].numpy() == pytest.approx([SHAPE[0] * voxel[0], SHAPE[2] * voxel[2]], rel=1e-5)


@pytest.mark.parametrize("turn", TURNS[::4], ids=lambda turn: str(turn.ravel().tolist()))
def test_a_mask_stored_with_other_axes_lies_on_its_image(tmp_path, values, turn) -> None:
    mask = (values > 0).astype(np.uint8)
    record = {
        "image": saved(tmp_path / "v.nii", values),
        "label": saved(tmp_path / "m.nii", *turned(mask, AFFINE, turn)),
    }
    item = LoadMask(spatial_dims=3)(LoadVolume()(record))
    assert np.array_equal(item["label"][0] > 0, item["image"][0] > 0)
    assert "image_geometry" not in item


def test_a_slice_and_its_mask_turned_by_the_header(tmp_path, values) -> None:
    flat, mask = values[..., :1], (values[..., :1] > 0).astype(np.uint8)
    turn = np.array([[0, -1], [1, -1], [2, 1]])
    record = {
        "image": saved(tmp_path / "v.nii", flat),
        "label": saved(tmp_path / "m.nii", *turned(mask, AFFINE, turn)),
    }
    item = LoadMask(spatial_dims=2)(LoadVolume(spatial_dims=2)(record))
    assert item["image"].shape == (1, 5, 6) and np.array_equal(item["label"] > 0, item["image"] > 0)


@pytest.mark.parametrize("change", ["shifted", "scaled", "cropped"])
def test_a_mask_on_another_grid_is_refused(tmp_path, values, change) -> None:
    affine, mask = AFFINE.copy(), (values > 0).astype(np.uint8)
    if change == "shifted":
        affine[0, 3] += 0.5
    elif change == "scaled":
        affine[2, 2] *= 1.2
    else:
        mask = mask[1:]
    record = {"image": saved(tmp_path / "v.nii", values), "label": saved(tmp_path / "m.nii", mask, affine)}
    with pytest.raises(InputError, match="m.nii.*v.nii"):
        LoadMask(spatial_dims=3)(LoadVolume()(record))


def test_rounding_of_headers_is_no_other_grid(tmp_path, values) -> None:
    record = {
        "image": saved(tmp_path / "v.nii", values),
        "label": saved(tmp_path / "m.nii", (values > 0).astype(np.uint8), AFFINE + 1e-4 * np.eye(4)),
    }
    assert LoadMask(spatial_dims=3)(LoadVolume()(record))["label"].shape == (1, *SHAPE)


def test_pictures_and_volumes_are_not_paired(tmp_path, values, picture, mask) -> None:
    volume = saved(tmp_path / "v.nii", values[..., :1])
    with pytest.raises(InputError, match="m.png: image and mask must both be pictures or both be NIfTI"):
        LoadMask()(LoadVolume(spatial_dims=2)({"image": volume, "label": str(mask(tmp_path / "m.png"))}))
    with pytest.raises(InputError, match="v.nii: image and mask must both"):
        LoadMask()(LoadPicture()({"image": str(picture(tmp_path / "a.png")), "label": volume}))
    with pytest.raises(InputError, match="v.nii: is a NIfTI file, where a picture is asked for"):
        LoadPicture()({"image": volume})


COLOURS = np.zeros(SHAPE, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (COLOURS, "holds colours"),
        (np.ones(SHAPE, np.complex64), "type complex64"),
        (np.full(SHAPE, np.nan, np.float32), "not finite"),
        (np.full(SHAPE, np.inf, np.float32), "not finite"),
        (np.full(SHAPE, 1e300), "not finite"),
        (np.ones((2, 2, 2, 2, 2), np.float32), "shape"),
    ],
)
def test_values_that_are_not_understood_are_refused(tmp_path, content, words) -> None:
    with pytest.raises(InputError, match=f"odd.nii: .*{words}"):
        read_volume(saved(tmp_path / "odd.nii", content))


def test_headers_that_describe_no_space_are_refused(tmp_path, values) -> None:
    flat = np.diag([1.0, 1.0, 0.0, 1.0])
    image = nib.Nifti1Image(values, None)
    image.header.set_sform(flat, code=1)
    nib.save(image, tmp_path / "odd.nii")
    with pytest.raises(InputError, match="odd.nii: the affine of its header"):
        upright(read_volume(tmp_path / "odd.nii"))


def test_channels_stand_on_the_fourth_axis_or_the_fifth(tmp_path, values) -> None:
    stacked = np.stack([values, -values], -1)
    for content in (stacked, stacked[:, :, :, None]):
        found = read_volume(saved(tmp_path / "c.nii", content), channels=2)
        assert np.array_equal(found.values, np.stack([values, -values]))
    with pytest.raises(InputError, match="c.nii: 2 channels where in_channels is 1"):
        read_volume(tmp_path / "c.nii", channels=1)
    with pytest.raises(InputError, match=r"v.nii: shape \(5, 6, 7\) where 2 spatial dimensions"):
        LoadVolume(spatial_dims=2)({"image": saved(tmp_path / "v.nii", values)})


def test_voxels_of_a_microscope_are_none_too_small(tmp_path, values) -> None:
    path = saved(tmp_path / "v.nii", values, np.diag([1e-5, 1e-5, 1e-5, 1]))
    assert np.array_equal(upright(read_volume(path)).values[0], values)


def test_a_file_of_surfaces_is_refused(tmp_path) -> None:
    inside = cifti2.BrainModelAxis.from_mask(np.ones((3, 3, 3), bool), affine=np.eye(4))
    image = cifti2.Cifti2Image(np.zeros((1, 27), np.float32), (cifti2.ScalarAxis(["one"]), inside))
    nib.save(image, tmp_path / "a.dscalar.nii")
    with pytest.raises(InputError, match="a.dscalar.nii: holds no volume"):
        read_volume(tmp_path / "a.dscalar.nii")
