"""One printed line for what a reader passes over: never silence, never the same line twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from scripts import processes
from scripts.messages import visible

_SAID: set[str] = set()
SHOWN = 4  # names in one line; the others are counted


def notice(text: str, *, once: str | None = None) -> None:
    """Print `warning: text` in the first process; the same line, or the same `once`, is printed one time only.

    The text may hold names of files: signs that a terminal would obey, or cannot print, are escapes in the line.
    """
    line = " ".join(visible(f"warning: {text}").split())
    key = once or line
    if key in _SAID:
        return
    _SAID.add(key)
    if processes.first():
        print(line, flush=True)


def counted(names: Iterable[str]) -> str:
    """`.txt (3), .csv` : the most frequent names with how often each occurs, and how many further ones there are."""
    found = Counter(names).most_common()
    shown = ", ".join(name if number == 1 else f"{name} ({number})" for name, number in found[:SHOWN])
    return shown if len(found) <= SHOWN else f"{shown} and {len(found) - SHOWN} more"
