"""Parts that the steps of a chain have in common are made once: records, networks, prepared images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from scripts.identity.identity import plain_digest

Part = TypeVar("Part")

_PARTS: ContextVar[dict[str, Any] | None] = ContextVar("parts", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """Let workspaces that are made inside the block share parts; an inner block shares those of the outer one."""
    if _PARTS.get() is not None:
        yield
        return
    token = _PARTS.set({})
    try:
        yield
    finally:
        _PARTS.reset(token)


def shared(name: str, follows_from: Any, make: Callable[[], Part]) -> Part:
    """The part called `name`, made anew only where nothing of the same description was made in this chain.

    Args:
        follows_from: plain values that say all the part depends on.
    """
    parts = _PARTS.get()
    if parts is None:
        return make()
    key = f"{name} {plain_digest(follows_from)}"
    if key not in parts:
        parts[key] = make()
    return parts[key]
