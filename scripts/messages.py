"""Text for the terminal: nothing invisible in it, and nothing longer than somebody reads."""

from __future__ import annotations

import re
import unicodedata

MESSAGE, VALUE = 600, 80  # characters of a message, and of one value in it
# Signs that are drawn as nothing or as a blank, though Unicode calls them letters, marks or symbols.
_BLANK = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")
# Their letters are drawn as Latin ones: beside a Latin letter or a digit they pass for these.
_LOOK_ALIKE = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU")
_WORD = re.compile(r"([\w\u0300-\u036f]+)")  # combining marks belong to the letter before them
_QUOTED = re.compile(rf"(?<!\w)'([^']{{{VALUE + 1},}})'(?!\w)|(?<!\w)\"([^\"]{{{VALUE + 1},}})\"(?!\w)")
_ENDLESS = re.compile(rf"[^\s/]{{{2 * VALUE + 1},}}")


def visible(text: str) -> str:
    r"""`text` with every sign that cannot be seen, or passes for another, as an escape like `\x1b` or `\u200b`.

    Blank and line end stay. A letter of another alphabet is shown as an escape where the word also holds Latin letters
    or digits; a word in one alphabet stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible_word(part) for part in _WORD.split(text))


def hidden_signs(text: str) -> list[str]:
    """The signs of `text` that cannot be seen, line ends and tabs too, each once, as escapes."""
    return list(dict.fromkeys(_escape(sign) for sign in text if sign in "\n\t" or _is_invisible(sign)))


def shortened(text: str, limit: int = VALUE) -> str:
    """`text`, with its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    end = limit // 4
    return f"{text[: limit - end - 3]}...{text[-end:]}"


def message(text: str) -> str:
    """One line that can be printed: visible signs, single blanks, values and the whole no longer than is read."""
    # What is far longer than any message is cut first: looking at each sign of a megabyte takes seconds.
    line = " ".join(visible(shortened(str(text), 20 * MESSAGE)).split())
    line = _QUOTED.sub(lambda found: found[0][0] + shortened(found[0][1:-1]) + found[0][-1], line)
    line = _ENDLESS.sub(lambda found: shortened(found[0], 2 * VALUE), line)
    return shortened(line, MESSAGE)


def _visible_word(word: str) -> str:
    mixed = not word.isascii() and any(sign.isascii() and sign.isalnum() for sign in word)
    return "".join(_escape(sign) if _is_invisible(sign) or _passes(sign, mixed) else sign for sign in word)


def _is_invisible(sign: str) -> bool:
    if sign.isascii():
        return not (sign.isprintable() or sign in "\n\t")
    number = ord(sign)
    selector = 0xFE00 <= number <= 0xFE0F or 0xE0100 <= number <= 0xE01EF or 0x180B <= number <= 0x180F
    return selector or number in _BLANK or unicodedata.category(sign) in _HIDDEN


def _passes(sign: str, mixed: bool) -> bool:
    """Whether the sign is drawn like an ASCII one, or may be where the word also holds such."""
    if sign.isascii():
        return False
    if sign.isalnum() and unicodedata.normalize("NFKC", sign).isascii():
        return True  # full-width letters and the like
    other = unicodedata.category(sign) in ("Mn", "Me", "Nd") or unicodedata.name(sign, "").startswith(_LOOK_ALIKE)
    return mixed and other


def _escape(sign: str) -> str:
    number = ord(sign)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def number_of(count: int, noun: str) -> str:
    """`1 patient`, `2 patients`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
