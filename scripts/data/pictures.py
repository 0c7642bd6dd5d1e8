"""The one reader of PNG, JPEG, BMP and TIFF files: as viewers show them, scaled by the format, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scripts.data.notices import notice
from scripts.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF")
GREY, COLOUR = 1, 3  # channels that a network for pictures may have
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # tags of a TIFF file
SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
GREY_MODES = ("1", "L", "LA", "La", *SIXTEEN_BIT)
REFUSED_MODES = {
    "F": "a picture of floating-point values has no known range; save it with 8 or 16 bits",
    "I": "a picture of 32-bit whole numbers has no known range; save it with 8 or 16 bits",
    "LAB": "its colours are in CIELAB; save it as RGB",
    "HSV": "its colours are in HSV; save it as RGB",
    "RGBX": "the meaning of its fourth channel is not known; save it as RGB",
}


def picture_channels(path: str | Path) -> int:
    """1 for a grey picture, 3 for one with colours or a palette.

    Raises:
        InputError: the file cannot be read.
    """
    with _opened(path) as image:
        return GREY if image.mode in GREY_MODES else COLOUR


def check_channels(channels: int) -> int:
    """The channels in which a network takes pictures.

    Raises:
        InputError: neither 1 nor 3.
    """
    if channels not in (GREY, COLOUR):
        raise InputError(f"in_channels: {channels} does not fit pictures; allowed are 1 (grey) and 3 (colour)")
    return channels


def read_picture(path: str | Path, *, channels: int) -> np.ndarray:
    """The picture as viewers show it, float32 (C, H, W) in 0..1.

    An orientation tag is applied. The range is that of the file's format (255, or 65535 for 16 bits), whatever the
    brightest pixel. A grey picture in a colour network has three equal channels; a colour picture in a grey network is
    its luminance (ITU-R 601). Palettes are resolved to their colours. Of 16-bit colours Pillow keeps 8 bits.

    Args:
        channels: 1 or 3.

    Raises:
        InputError: the file cannot be read, holds several pages, transparency, or values without a known range.
    """
    with _opened(path) as image:
        if image.mode in REFUSED_MODES:
            raise InputError(f"{path}: {REFUSED_MODES[image.mode]}")
        if not _opaque(image):
            raise InputError(f"{path}: is partly transparent; save it without alpha, on the ground that it belongs on")
        grey = channels == GREY or image.mode in GREY_MODES
        if image.mode in SIXTEEN_BIT:
            levels = _sixteen_bit(image)
        else:
            # By way of RGBA where a palette has an alpha of its own, which is opaque here.
            plain = image.convert("RGBA") if image.mode == "P" and image.has_transparency_data else image
            levels = np.asarray(plain.convert("L" if grey else "RGB"), dtype=np.float32) / np.float32(255)
            levels = levels if grey else levels.transpose(2, 0, 1)
    planes = levels if levels.ndim == 3 else levels[None]
    return np.array(np.broadcast_to(planes, (channels, *planes.shape[1:])), order="C")


def read_mask_picture(path: str | Path) -> np.ndarray:
    """The values of a mask picture as viewers show it, float32 (C, H, W); 16-bit white is 255 too.

    A palette counts by its colours where they are black and white, else by its indices.

    Raises:
        InputError: the file cannot be read, holds several pages, inks or transparency.
    """
    with _opened(path) as image:
        if not _opaque(image):
            raise InputError(
                f"{path}: the mask has an alpha channel that is not opaque; save it as one grey channel, 0 and 255"
            )
        if image.mode in ("CMYK", "LAB", "HSV", "YCbCr", "RGBX"):
            raise InputError(
                f"{path}: a mask in {image.mode}; allowed are one channel with values {{0, 1}} or {{0, 255}}"
            )
        values = np.array(_plain_mask(image), dtype=np.float32)  # a copy: Pillow's own is not to be written
        if image.mode in SIXTEEN_BIT:
            values = _sixteen_bit_mask(values, image)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _plain_mask(image: Image.Image) -> Image.Image:
    if image.mode == "P":
        grey = image.convert("L")
        colours = {level for _, level in grey.getcolors(256) or []}
        return grey if colours <= {0, 255} else Image.fromarray(np.asarray(image))
    if image.mode in ("1", "LA", "La"):
        return image.convert("L")
    return image.convert("RGB") if image.mode in ("RGBA", "RGBa", "PA") else image


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """The first and only page of a file, upright; whatever goes wrong names the file."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        # From an open file: by its name Pillow 13 maps an uncompressed TIFF into memory and, where an orientation tag
        # says that the picture is turned by a quarter, takes its rows at the wrong length.
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            _check_pages(image, path)
            image.load()
            # In place: a copy would lose the tags that say how many bits a pixel has.
            ImageOps.exif_transpose(image, in_place=True)
            yield image
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not a readable image: no PNG, JPEG, BMP or TIFF") from error
    except Exception as error:  # A damaged file can raise nearly anything in Pillow; the operator must read its name.
        reason = str(error).strip().splitlines() or ["unknown format"]
        raise InputError(f"{path}: not a readable image: {reason[-1]}") from error


def _check_pages(image: Image.Image, path: str | Path) -> None:
    pages = getattr(image, "n_frames", 1)
    if pages == 1:
        return
    if image.format == "MPO":
        notice(
            f"{path}: the first picture is taken, the previews or depth maps that the camera stored behind it are not"
            " (said once for all such files)",
            once="MPO",
        )
        return
    raise InputError(f"{path}: holds {pages} pages; a file must hold one picture, so save each page as its own file")


def _opaque(image: Image.Image) -> bool:
    if image.mode in SIXTEEN_BIT:
        hidden = image.info.get("transparency")
        return hidden is None or not bool((np.asarray(image) == hidden).any())
    if not image.has_transparency_data:
        return True
    return image.convert("RGBA").getchannel("A").getextrema()[0] == 255


def _top(image: Image.Image) -> int:
    """The largest value that the format of a 16-bit picture can hold; some TIFF files use 12 of the 16 bits."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(BITS_PER_SAMPLE, (16,))
    return 2 ** int(bits[0] if isinstance(bits, tuple) else bits) - 1


def _sixteen_bit(image: Image.Image) -> np.ndarray:
    levels = np.asarray(image).astype(np.float32) / np.float32(_top(image))
    return 1 - levels if _zero_is_white(image) else levels


def _sixteen_bit_mask(values: np.ndarray, image: Image.Image) -> np.ndarray:
    """White as 255; values below it stay as they are stored, so that 0 and 1 are a mask too."""
    top = np.float32(_top(image))
    if _zero_is_white(image):
        values = top - values
    return np.where(values == top, np.float32(255), values) if values.max() == top else values


def _zero_is_white(image: Image.Image) -> bool:
    """Whether the file says so and Pillow leaves it to us, which it does for 16 bits alone."""
    return getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0
