"""Ids as people write them: which are accepted, and when two of them could be taken for one another."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from scripts.errors import InputError

LONGEST = 200  # characters: a path in an id is well below
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control, format, surrogate, private, unassigned, line separators


def shown(value: Any) -> str:
    """A value for an error message: invisible characters escaped, a long one cut."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(f"\\u{ord(sign):04x}" if unicodedata.category(sign) in UNSEEN else sign for sign in text)
    return text if len(text) <= 60 else f"{text[:57]}..."


def checked_id(value: Any, *, key: str, where: str) -> str:
    """An id as text: whole numbers are taken as they are written.

    Raises:
        InputError: another type, a blank at an end, an invisible character, or more than `LONGEST` characters.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(f"{where}: {key} {shown(value)} is neither text nor a whole number")
    text = str(value)
    if text != text.strip() or not text:
        raise InputError(f"{where}: {key} '{shown(text)}' begins or ends with a blank; write it without")
    plain = text.isascii() and text.isprintable()  # most ids are; the categories of each sign take longer
    if not plain and any(unicodedata.category(sign) in UNSEEN for sign in text):
        raise InputError(f"{where}: {key} '{shown(text)}' holds an invisible character; write it without")
    if len(text) > LONGEST:
        raise InputError(f"{where}: {key} '{shown(text)}' has {len(text)} characters; allowed are {LONGEST}")
    return text


def folded(text: str) -> str:
    """What two ids have in common that a reader could take for one another: form, case and blanks left aside."""
    form = text if text.isascii() else unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(form.casefold().split())


def check_distinct(ids: Iterable[str], *, key: str, where: str) -> None:
    """Refuse two different ids that differ only in case, blanks or Unicode form.

    Raises:
        InputError: names both.
    """
    seen: dict[str, str] = {}
    for text in ids:
        other = seen.setdefault(folded(text), text)
        if other != text:
            # Escaped, because they may look the same; blanks as well, because an error is one line of single blanks.
            both = " and ".join(ascii(name).replace("  ", "\\x20\\x20") for name in (other, text))
            raise InputError(f"{where}: {key} {both} differ only in case, blanks or Unicode form; write one of them")
