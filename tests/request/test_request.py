"""`read_request`: what it accepts, and that each refusal names file, line, value and what is allowed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from scripts.errors import InputError
from scripts.request import GROUNDS, LEVELS, read_request

HEADER = "request_id,level,id,requested_on,ground\n"
ROW = "r-1,patient,01,2026-01-31,erasure_request\n"
LATER = (date.today() + timedelta(days=2)).isoformat()


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "request.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_ids_stay_text_sorted_and_unique(write):
    ids = ["1e5", "01", "1_000", "1", "0x1", "=1+1", "ä"]
    path = write(HEADER + "".join(f"r-1,patient,{value},2026-01-31,consent_withdrawn\n" for value in ids))
    request = read_request(path)
    assert request.ids == tuple(sorted(ids))
    assert (request.request_id, request.level, request.requested_on) == ("r-1", "patient", "2026-01-31")
    assert request.ground == "consent_withdrawn"
    assert str(path) not in str(request.as_dict())


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + (HEADER + ROW).encode(),
        (HEADER + ROW).replace(",", ";").encode(),
        (HEADER + ROW).replace("\n", "\r\n").encode(),
        (HEADER + ROW).replace("\n", "\r").encode(),
        ("\n" + HEADER + "\n" + ROW + "\n\n").encode(),
        (HEADER + ROW).rstrip("\n").encode(),
        b"\xef\xbb\xbf" + (HEADER + ROW).replace(",", ";").replace("\n", "\r\n").encode(),
        (HEADER + ROW.replace(",01,", ',"01",')).encode(),
    ],
    ids=["bom", "semicolons", "crlf", "cr", "blank lines", "no last newline", "excel", "quotes"],
)
def test_accepts_what_spreadsheets_write(write, content):
    assert read_request(write(content)).ids == ("01",)


def test_every_level_and_ground(write):
    for level in LEVELS:
        for ground in GROUNDS:
            request = read_request(write(f"{HEADER}r,{level},x,2026-01-31,{ground}\n"))
            assert (request.level, request.ground) == (level, ground)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["empty", "request_id,level,id,requested_on,ground"]),
        ("\n\n", ["empty"]),
        (HEADER, ["names no id"]),
        (HEADER.replace("ground", "reason") + ROW, ["line 1", "unknown column 'reason'"]),
        (HEADER.replace("\n", ",note\n") + ROW, ["line 1", "unknown column 'note'"]),
        ("request_id,level,id,ground\n" + ROW, ["line 1", "missing column 'requested_on'"]),
        ("request_id,level,id,ground,requested_on\n" + ROW, ["line 1", "out of order"]),
        ("request_id,level,id,requested_on,ground,id\n" + ROW, ["line 1", "repeated"]),
        (HEADER + "r-1,patient,01,2026-01-31\n", ["line 2", "4 cells", "5"]),
        (HEADER + ROW.replace(",01,", ", ,"), ["line 2", "id is empty"]),
        (HEADER + ROW.replace("patient", "person"), ["line 2", "'person'", *LEVELS]),
        (HEADER + ROW.replace("patient", "Patient"), ["line 2", "'Patient'"]),
        (HEADER + ROW + ROW, ["line 3", "'01'", "line 2"]),
        (HEADER + ROW + ROW.replace("01,", "02,").replace("r-1", "r-2"), ["line 3", "'r-2'", "one request"]),
        (HEADER + ROW + ROW.replace("patient,01", "image,a"), ["line 3", "'image'", "one level"]),
        (HEADER + ROW + ROW.replace("01,", "02,", 1).replace("2026-01-31", "2026-01-30"), ["line 3", "2026-01-30"]),
        (HEADER + ROW.replace("r-1", "../r"), ["line 2", "'../r'"]),
        (HEADER + ROW.replace("r-1", ".."), ["line 2", "'..'"]),
        (HEADER + ROW.replace("r-1", "."), ["line 2", "'.'"]),
        (HEADER + ROW.replace("r-1", ".hidden"), ["line 2", "'.hidden'", "leading dot"]),
        (HEADER + ROW.replace("r-1", "a/b"), ["line 2", "'a/b'"]),
        (HEADER + ROW.replace("r-1", "a b"), ["line 2", "'a b'"]),
        (HEADER + ROW.replace("r-1", ""), ["line 2", "request_id ''"]),
        (HEADER + ROW.replace("r-1", "é"), ["line 2", "'é'"]),
        (HEADER + ROW.replace("r-1", "r" * 65), ["line 2", "64"]),
        (HEADER + ROW.replace("2026-01-31", "31.01.2026"), ["line 2", "'31.01.2026'", "2026-01-31"]),
        (HEADER + ROW.replace("2026-01-31", "2026-02-30"), ["line 2", "'2026-02-30'"]),
        (HEADER + ROW.replace("2026-01-31", "20260131"), ["line 2", "'20260131'"]),
        (HEADER + ROW.replace("erasure_request", "because"), ["line 2", "'because'", *GROUNDS]),
        ((HEADER + ROW).encode().replace(b"01,", b"M\xfcller,", 1), ["line 2", "0xfc", "UTF-8"]),
        ((HEADER + ROW).encode("utf-16"), ["line 1", "UTF-8"]),
        ((HEADER + ROW).encode("utf-16-le"), ["line 1", "NUL"]),
        (HEADER + 'r-1,patient,"01,2026-01-31,erasure_request\n', ["line 2", "not a CSV row"]),
        (HEADER + ROW.replace("2026-01-31", "9999-12-31"), ["line 2", "'9999-12-31'", "lies in the future", "latest"]),
        (HEADER + ROW.replace("2026-01-31", LATER), ["line 2", LATER, "lies in the future"]),
        (
            HEADER + ROW.replace("2026-01-31", "0206-01-31"),
            ["line 2", "'0206-01-31'", "is no date of now", "the earliest is 1990"],
        ),
        (HEADER + ROW.replace("2026-01-31", "\u0662026-01-31"), ["line 2", "is not a date"]),
        (HEADER + ROW.replace(",01,", f",{'x' * 257},"), ["line 2", "257 characters", "256"]),
        (HEADER + ROW.replace(",01,", ",0\x1b[31m1,"), ["line 2", "'0\\x1b[31m1'", "\\x1b"]),
        (HEADER + ROW.replace(",01,", ",01\u200b,"), ["line 2", "'01\\u200b'", "cannot be seen"]),
        (HEADER + ROW.replace(",01,", ",01\xa0,"), ["line 2", "'01\\xa0'", "cannot be seen"]),
        (HEADER + ROW.replace(",01,", ",\u202e10,"), ["line 2", "'\\u202e10'", "cannot be seen"]),
        (HEADER + ROW.replace(",01,", ',"0\n1",'), ["id '0 1'", "\\x0a"]),
        (HEADER + ROW.replace(",01,", ",é,") + ROW.replace(",01,", ",e\u0301,"), ["line 3", "looks like", "line 2"]),
        (HEADER + ROW.replace("r-1", "\u0440-1"), ["line 2", "request_id"]),
    ],
)
def test_refuses(write, content, words):
    path = write(content)
    with pytest.raises(InputError) as caught:
        read_request(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for word in words:
        assert word in message


def test_the_longest_request_id(write):
    name = "aZ0._-" + "r" * 58
    assert read_request(write(HEADER + ROW.replace("r-1", name))).request_id == name


def test_refuses_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="no such request file"):
        read_request(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_request(tmp_path)


def test_a_letter_of_another_alphabet_is_shown_where_an_id_is_told(write):
    row = ROW.replace(",01,", ",\u043013,")  # Cyrillic a
    with pytest.raises(InputError, match=r"id '\\u043013' repeats line 2"):
        read_request(write(HEADER + row + row))


def test_the_latest_date_and_the_longest_id(write):
    tomorrow = (date.today() + timedelta(days=1)).isoformat()
    found = read_request(write(HEADER + ROW.replace("2026-01-31", tomorrow).replace(",01,", f",{'x' * 256},")))
    assert (found.requested_on, len(found.ids[0])) == (tomorrow, 256)


def test_a_file_that_is_no_request_by_its_size(write, monkeypatch):
    monkeypatch.setattr("scripts.request.request.LARGEST", 20)
    with pytest.raises(InputError, match=r"request.csv: \d+ bytes; a request has at most 20"):
        read_request(write(HEADER + ROW))
