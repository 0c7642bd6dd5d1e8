"""A bare list of withdrawals with its date is a request for its patients; what is unclear in it is refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.errors import InputError
from scripts.request import read_request
from scripts.request.withdrawn import dated


def listed(folder: Path, content: str, *, name: str = "w-2026.csv", date: str = "2026-01-31") -> str:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return dated(str(path), date)


@pytest.mark.parametrize(
    "content", ["01\n002\nx y\n", "\ufeffeid\r\n01\r\n002\r\nx y", '"01"\n\n"002"\n"x y"\n', "id\n01\n002\nx y\n"]
)
def test_one_id_a_line_with_or_without_a_header(tmp_path: Path, content: str) -> None:
    request = read_request(listed(tmp_path, content))
    assert request.ids == ("002", "01", "x y")
    assert (request.request_id, request.level, request.ground) == ("w-2026", "patient", "consent_withdrawn")
    assert request.requested_on == "2026-01-31" and request.path == str(tmp_path / "w-2026.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("01\n02\n01\n", "line 3: id '01' repeats line 1; list each id once"),
        ("01,02\n", "line 1: '01,02' has several columns; a list of withdrawals has one"),
        ("request_id,level,id,requested_on,ground\nr,patient,1,2026-01-31,research\n", "has several columns"),
        ("\n\n", "the list names no id"),
        ("id\n", "the list names no id"),
        ("a\u200bb\n", "which cannot be seen"),
        ("x" * 300, "line 1: the id"),
    ],
)
def test_what_is_unclear_is_refused_by_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_request(listed(tmp_path, content))
    assert str(caught.value).startswith(f"{tmp_path / 'w-2026.csv'}") and message in str(caught.value)


@pytest.mark.parametrize("date", ["31.01.2026", "2999-01-01", "2026-02-30", ""])
def test_a_date_that_is_none_is_refused(tmp_path: Path, date: str) -> None:
    with pytest.raises(InputError, match="requested_on"):
        read_request(listed(tmp_path, "01\n", date=date))


def test_the_file_s_name_is_that_of_the_request(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rename the file"):
        read_request(listed(tmp_path, "01\n", name="withdrawals of May.txt"))
    with pytest.raises(InputError, match="no such request file"):
        read_request(dated(str(tmp_path / "none.csv"), "2026-01-31"))


def test_a_file_whose_name_holds_the_sign_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a@b.csv"
    path.write_text("request_id,level,id,requested_on,ground\nr,patient,1,2026-01-31,research\n", encoding="utf-8")
    assert read_request(path).request_id == "r"
