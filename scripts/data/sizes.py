"""A size as a setting gives it, one number or one per axis, to pixels along each axis."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.errors import InputError


def axis_lengths(size: int | Sequence[int] | None, *, spatial_dims: int, name: str) -> tuple[int, ...]:
    """Pixels along each axis; empty for None.

    Args:
        name: of the setting.

    Raises:
        InputError: another number of lengths than axes, or a length below 1.
    """
    if size is None:
        return ()
    lengths = (size,) * spatial_dims if isinstance(size, int) else tuple(size)
    if len(lengths) != spatial_dims or min(lengths) < 1:
        raise InputError(f"{name}: {list(lengths)} does not fit {spatial_dims} spatial dimensions")
    return lengths
