"""A value as it was given, in a config or as text on the command line, to a value of the setting's type."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Sequence
from typing import Any

from scripts.errors import InputError
from scripts.settings.setting import Kind, Setting

WHOLE = re.compile(r"[+-]?[0-9]+")
CONTROL = frozenset(map(chr, [*range(32), *range(127, 160)]))  # line breaks and what a terminal would obey
MOST_WHOLE = 10**18  # below what 64 bits hold, with room for what is added to a seed
LONGEST_TEXT = 100  # characters of a whole number: reading a text takes time that grows with its square
FLAGS = {"true": True, "false": False}
NULLS = ("null", "none", "~")


def read_value(setting: Setting, value: Any, *, where: str = "", typed: bool = True) -> Any:
    """The value in the setting's type, within its range.

    Args:
        where: what gave the value, for the message.
        typed: whether the value comes from a config or from Python and has a type; else it is a command line's text.

    Raises:
        InputError: names the setting, the value and what is allowed.
    """
    found = _typed(setting, value) if typed else _from_text(setting, value)
    if found is _REFUSED or not _within(setting, found):
        place = f"{where}: " if where else ""
        raise InputError(
            f"{place}{setting.name}: {_shown(value)} is not allowed; allowed: {setting.allowed}{_hint(setting, value)}"
        )
    return found


class _Refused:
    """Stands for a value that cannot be read; None is a value."""


_REFUSED = _Refused()


def _typed(setting: Setting, value: Any) -> Any:
    if value is None:
        return None if setting.optional else _REFUSED
    if isinstance(value, str) and (setting.words and value in setting.words):
        return value
    return _READERS[setting.kind](value)


def _from_text(setting: Setting, text: str | None) -> Any:
    """`text` is None where the command line names the setting and gives no value."""
    if text is None:
        return True if setting.kind is Kind.FLAG else _REFUSED
    if setting.kind in (Kind.TEXT, Kind.PLACES) and not (setting.optional and text.lower() in NULLS):
        listed = setting.kind is Kind.PLACES and text.startswith("[")
        return _typed(setting, _listed(text) if listed else text)
    if text.strip().lower() in NULLS:
        return _typed(setting, None)
    if setting.kind in (Kind.NAMES, Kind.WHOLES) or (setting.kind is Kind.SIZE and text.strip()[:1] in ("[", "(")):
        return _typed(setting, _listed(text))
    return _typed(setting, text.strip())


def _listed(text: str) -> Any:
    """A list as it is typed: `[a, b]`, quoted or not; a bare word is a list of one."""
    inner = text.strip()
    if inner[:1] + inner[-1:] not in ("[]", "()"):
        return [inner]
    try:
        return json.loads(f"[{inner[1:-1]}]")
    except ValueError:
        return [part.strip().strip("'\"") for part in inner[1:-1].split(",") if part.strip()]


def _text(value: Any) -> Any:
    if not isinstance(value, str) or value != value.strip() or any(sign in CONTROL for sign in value):
        return _REFUSED
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str):
        return FLAGS.get(value.strip().lower(), _REFUSED)
    return value if isinstance(value, bool) else _REFUSED


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        value = int(value) if WHOLE.fullmatch(value.strip()) and len(value) < LONGEST_TEXT else None
    sound = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST_WHOLE
    return value if sound else _REFUSED


def _number(value: Any) -> Any:
    if isinstance(value, str):
        # YAML 1.1 takes 1e-3 for a text, and so do users' overlays.
        try:
            value = float(value)
        except ValueError:
            return _REFUSED
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _REFUSED
    return value if math.isfinite(value) else _REFUSED


def _size(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        lengths = [_whole(length) for length in value]
        return lengths if lengths and _REFUSED not in lengths else _REFUSED
    return _whole(value)


def _wholes(value: Any) -> Any:
    found = [_whole(number) for number in value] if isinstance(value, (list, tuple)) else [_REFUSED]
    return _REFUSED if _REFUSED in found else found


def _names(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        return list(value)
    return _REFUSED


def _places(value: Any) -> Any:
    return _text(value) if isinstance(value, str) else _names(value)


_READERS = {
    Kind.TEXT: _text,
    Kind.FLAG: _flag,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.SIZE: _size,
    Kind.WHOLES: _wholes,
    Kind.NAMES: _names,
    Kind.PLACES: _places,
}


def _within(setting: Setting, value: Any) -> bool:
    if setting.kind is Kind.TEXT and setting.words:
        return value is None or value in setting.words
    if setting.kind is Kind.NAMES and setting.words:
        return value is None or set(value) <= set(setting.words)
    lengths: Sequence[Any] = value if isinstance(value, list) else [value]
    numbers = [length for length in lengths if isinstance(length, (int, float)) and not isinstance(length, bool)]
    return all(
        (setting.least is None or number >= setting.least)
        and (setting.most is None or number <= setting.most)
        and (setting.limit is None or number <= setting.limit)
        and (setting.above is None or number > setting.above)
        and (setting.below is None or number < setting.below)
        for number in numbers
    )


def _shown(value: Any) -> str:
    if value is None:
        return "a missing value"
    text = str(value)
    return f"'{text}'" if len(text) <= 80 else f"'{text[:77]}...'"


def _hint(setting: Setting, value: Any) -> str:
    """What to write instead, where a config's type is what is wrong."""
    if setting.words and isinstance(value, str):
        near = difflib.get_close_matches(value, setting.words, n=1, cutoff=0.6)
        return f"; did you mean '{near[0]}'?" if near else ""
    if setting.kind is Kind.TEXT and isinstance(value, (int, float)) and not setting.words:
        return f"; in a config, put it into quotes: {setting.name}: '{value}'"
    if setting.kind is Kind.TEXT and isinstance(value, str) and value != value.strip():
        return ", without blanks at its ends"
    if setting.kind is Kind.TEXT and isinstance(value, str) and any(sign in CONTROL for sign in value):
        return " in one line, without control characters"
    return ""
