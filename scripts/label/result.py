"""The file that MONAI Label writes an answer to."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import MapTransform

EXTENSION = "result_extension"  # key by which Label's writer takes a client's wish


class MaskAsPngd(MapTransform):
    """Let the mask of a picture be a PNG: by itself Label takes the image's type, and JPEG changes what a mask says.

    What a client asks for stands; volumes keep their type. `monai.bundle run` reads nothing of it.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        found = dict(data)
        if all(found[key].ndim == 2 for key in self.key_iterator(found)) and not found.get(EXTENSION):
            found[EXTENSION] = ".png"
        return found
