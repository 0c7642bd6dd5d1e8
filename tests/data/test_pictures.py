"""A picture file is read as viewers show it and scaled by its format, or refused by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripts.data import notices
from scripts.data.pictures import read_mask_picture, read_picture
from scripts.errors import InputError

ROWS, COLUMNS = 8, 12
ORIENTATION = 0x0112
SHOWN = {  # orientation tag -> the stored pixels as they are shown
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a),
}


@pytest.fixture
def levels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS), dtype=np.uint8)


def saved(path: Path, pixels: np.ndarray, **options) -> str:
    Image.fromarray(pixels).save(path, **options)
    return str(path)


@pytest.mark.parametrize("tag", SHOWN)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_orientation_tags_are_applied_to_images_and_masks(tmp_path, levels, tag, suffix) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    image = saved(tmp_path / f"i.{suffix}", levels, exif=exif)
    expected = SHOWN[tag](levels)
    assert np.allclose(read_picture(image, channels=1)[0], expected / 255)
    binary = (levels > 127).astype(np.uint8) * 255
    assert np.array_equal(read_mask_picture(saved(tmp_path / f"m.{suffix}", binary, exif=exif))[0], SHOWN[tag](binary))


def test_range_is_that_of_the_format_and_not_of_the_brightest_pixel(tmp_path, levels) -> None:
    dark = levels.astype(np.uint16)
    bright = dark.copy()
    bright[0, 0] = 60000
    for channels in (1, 3):
        one = read_picture(saved(tmp_path / "dark.png", dark), channels=channels)
        other = read_picture(saved(tmp_path / "bright.png", bright), channels=channels)
        assert one.shape == (channels, ROWS, COLUMNS) and one.dtype == np.float32
        assert np.allclose(one[0], dark / 65535, atol=1e-7) and (one == one[:1]).all()
        assert np.array_equal(one[:, 1:], other[:, 1:])
        full = read_picture(saved(tmp_path / "full.tif", dark * 257), channels=channels)
        assert np.allclose(full, read_picture(saved(tmp_path / "eight.png", levels), channels=channels), atol=1e-6)


def test_a_16_bit_tiff_in_which_zero_is_white_is_inverted(tmp_path, levels) -> None:
    path = saved(tmp_path / "white.tif", levels.astype(np.uint16) * 257, tiffinfo={262: 0})
    assert np.allclose(read_picture(path, channels=1)[0], 1 - levels / 255, atol=1e-6)


def test_the_setting_decides_the_channels(tmp_path, levels) -> None:
    grey = read_picture(saved(tmp_path / "grey.png", levels), channels=3)
    assert np.array_equal(grey, np.stack([grey[0]] * 3))
    colours = np.stack([levels, levels // 2, levels // 3], -1)
    luminance = read_picture(saved(tmp_path / "colour.png", colours), channels=1)
    assert np.allclose(luminance[0], colours @ [0.299, 0.587, 0.114] / 255, atol=1 / 255)


def test_alpha_is_dropped_only_where_it_is_opaque(tmp_path, levels) -> None:
    colours = np.stack([levels] * 4, -1)
    colours[..., 3] = 255
    opaque = read_picture(saved(tmp_path / "opaque.png", colours), channels=1)
    assert np.allclose(opaque[0], levels / 255, atol=1e-6)
    colours[2, 3, 3] = 254
    for pixels in (colours, colours[..., 2:]):
        with pytest.raises(InputError, match="a.png: is partly transparent"):
            read_picture(saved(tmp_path / "a.png", pixels), channels=3)
    with pytest.raises(InputError, match="t.png: is partly transparent"):
        read_picture(saved(tmp_path / "t.png", levels, transparency=int(levels[0, 0])), channels=1)
    with pytest.raises(InputError, match="s.png: is partly transparent"):
        deep = levels.astype(np.uint16)
        read_picture(saved(tmp_path / "s.png", deep, transparency=int(deep[0, 0])), channels=1)


@pytest.mark.parametrize("name", ["alpha", "two", "cmyk", "palette"])
def test_masks_that_say_more_than_black_and_white_are_refused(tmp_path, levels, name) -> None:
    binary = (levels > 127).astype(np.uint8) * 255
    path = tmp_path / f"{name}.tif"
    if name == "alpha":
        saved(path, np.dstack([np.full((ROWS, COLUMNS, 3), 255, np.uint8), binary]))
    elif name == "two":
        saved(path, np.dstack([binary, binary]))
    elif name == "cmyk":
        Image.fromarray(binary).convert("RGB").convert("CMYK").save(path)
    else:
        path = tmp_path / "palette.png"
        Image.fromarray(binary).convert("P").save(path, transparency=0)
    with pytest.raises(InputError, match=path.name):
        read_mask_picture(path)


def test_a_16_bit_mask_of_full_range_is_a_mask(tmp_path, levels) -> None:
    binary = (levels > 127).astype(np.uint16) * 65535
    assert set(np.unique(read_mask_picture(saved(tmp_path / "m.png", binary)))) == {0, 255}


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_files_of_several_pages_are_refused(tmp_path, levels, suffix) -> None:
    page = Image.fromarray(levels)
    page.save(tmp_path / f"stack.{suffix}", save_all=True, append_images=[Image.fromarray(255 - levels)])
    for read in (lambda path: read_picture(path, channels=1), read_mask_picture):
        with pytest.raises(InputError, match=f"stack.{suffix}: holds 2 pages"):
            read(tmp_path / f"stack.{suffix}")


def test_the_preview_behind_a_photograph_is_said(tmp_path, levels, capsys) -> None:
    notices._SAID.discard("MPO")
    Image.fromarray(levels).save(
        tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[Image.fromarray(levels[:4])]
    )
    assert read_picture(tmp_path / "phone.jpg", channels=1).shape == (1, ROWS, COLUMNS)
    read_picture(tmp_path / "phone.jpg", channels=1)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and "phone.jpg" in said[0]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_values_without_a_known_range_are_refused(tmp_path, levels, kind) -> None:
    path = saved(tmp_path / "values.tif", levels.astype(kind))
    with pytest.raises(InputError, match="values.tif: a picture of .* has no known range"):
        read_picture(path, channels=1)


def test_other_formats_and_channels_are_refused(tmp_path, levels) -> None:
    Image.fromarray(levels).save(tmp_path / "film.png", format="GIF")
    with pytest.raises(InputError, match="film.png: not a readable image"):
        read_picture(tmp_path / "film.png", channels=1)
    from scripts.data.loading import LoadPicture

    with pytest.raises(InputError, match="in_channels: 4 does not fit pictures"):
        LoadPicture(channels=4)


def test_a_16_bit_mask_in_which_zero_is_white_is_inverted(tmp_path, levels) -> None:
    stored = (levels <= 127).astype(np.uint16) * 65535
    mask = read_mask_picture(saved(tmp_path / "white.tif", stored, tiffinfo={262: 0}))
    assert np.array_equal(mask[0], (levels > 127) * 255.0)


def test_a_mask_of_floating_point_is_read_without_a_warning(tmp_path, levels) -> None:
    path = saved(tmp_path / "m.tif", (levels > 127).astype(np.float32))
    assert read_mask_picture(path).flags.writeable
