"""Validation between epochs."""

from __future__ import annotations

from typing import Any

from monai.handlers import ValidationHandler
from scripts.errors import require_positive


class Validation(ValidationHandler):
    """MONAI's ValidationHandler, which refuses an interval below 1 in one line.

    Raises:
        InputError: `validate_every` is not at least 1.
    """

    def __init__(self, *, interval: int, validator: Any) -> None:
        require_positive(validate_every=interval)
        super().__init__(interval=int(interval), validator=validator)
