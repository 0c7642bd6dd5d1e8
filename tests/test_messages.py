"""What reaches the terminal holds nothing invisible and is no longer than somebody reads."""

from __future__ import annotations

import pytest
from scripts.errors import InputError
from scripts.messages import MESSAGE, hidden_signs, message, shortened, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\x00b\x7fc\rd\x9be", "a\\x00b\\x7fc\\x0dd\\x9be"),
        ("p01\u200b", "p01\\u200b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("P01\xa0", "P01\\xa0"),
        ("P\xad01", "P\\xad01"),
        ("\ufeffp", "\\ufeffp"),
        ("p\u3164", "p\\u3164"),
        ("p\ufe0f", "p\\ufe0f"),
        ("\U000e0041p", "\\U000e0041p"),
        ("a\u2028b", "a\\u2028b"),
        ("\udcff.png", "\\udcff.png"),
        ("\u0440013", "\\u0440013"),  # Cyrillic er
        ("P\u0410T", "P\\u0410T"),  # Cyrillic A
        ("\uff30\uff10\uff11", "\\uff30\\uff10\\uff11"),  # full-width P01
        ("Mu\u0308ller", "Mu\\u0308ller"),
        ("p\u0661", "p\\u0661"),  # Arabic-Indic digit
    ],
)
def test_what_cannot_be_seen_or_passes_for_another_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize(
    "text", ["plain text, 3 > 2", "Müller, Łódź", "Пациент", "患者 12", "a\nb\tc", "größe=1.5", ""]
)
def test_what_can_be_read_stays(text: str) -> None:
    assert visible(text) == text


def test_hidden_signs_are_named_once() -> None:
    assert hidden_signs("a\u200bb\u200bc\n\x1b") == ["\\u200b", "\\x0a", "\\x1b"]
    assert hidden_signs("Пациент12 Müller") == []


def test_a_long_value_keeps_its_two_ends() -> None:
    found = message(f"request.csv, line 2: level '{'x' * 300}' is not one of patient, image")
    assert "'" + "x" * 57 + "..." + "x" * 20 + "'" in found and found.endswith("is not one of patient, image")
    assert shortened("abc", 3) == "abc"


@pytest.mark.parametrize("text", ["x" * 100_000, "id " * 100_000, "'" + "a b" * 50_000 + "'", "\x1b" * 100_000])
def test_a_message_has_a_bound(text: str) -> None:
    assert len(str(InputError(text))) <= MESSAGE


def test_a_path_and_prose_with_apostrophes_stay_whole() -> None:
    text = "/data/" + "long-folder-name/" * 20 + "x.csv: the run's file is not the hospital's; give the run's own"
    assert message(text) == text
