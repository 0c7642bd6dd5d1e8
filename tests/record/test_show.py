"""`record show` reads all that a release holds, and takes nothing in it for granted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts.errors import InputError
from scripts.record import __main__ as record
from scripts.record.show import release_lines

DIGEST = "ab" * 32
FILES: dict[str, Any] = {
    "verdict.json": {
        "version": "2",
        "outcome": "PASS",
        "reason": "no detectable difference",
        "evidence_kind": "amortised",
        "try": 1,
        "checks": [{"name": "recovery", "met": True, "detail": "int8 +0.01"}, {"name": "x", "met": None, "detail": ""}],
        "not_tested": ["backups"],
    },
    "certificate.json": {
        "version": "2",
        "state": "committed",
        "shown": "equivalent by test",
        "request": {"digest": DIGEST, "level": "patient", "units": [DIGEST], "due_on": "2026-02-28"},
        "models": {"before": DIGEST, "after": "cd" * 32},
        "files": {"student.pt": DIGEST},
        "destroyed": ["private/run.log"],
        "not_destroyed": ["private/mine.txt"],
        "derived": ["backups of all of these"],
    },
    "certificates/0001.json": {"request": {"digest": "ef" * 32, "units": [DIGEST], "level": "patient"}},
}
LINES: dict[str, list[Any]] = {
    "ledger.jsonl": [{"index": 0, "kind": "plan", "body": {"pairs": 4, "seeds": [1, 2], "delivered": DIGEST}}],
    "lineage.jsonl": [
        {"index": 0, "model": DIGEST, "method": "train", "exact": False, "forgotten": []},
        {"index": 1, "model": DIGEST, "method": "fold_start", "exact": True, "forgotten": ["u"], "verdict": "PASS"},
    ],
}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    (tmp_path / "certificates").mkdir()
    for name, content in FILES.items():
        (tmp_path / name).write_text(json.dumps(content))
    for name, lines in LINES.items():
        (tmp_path / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return tmp_path


def test_all_of_it_is_shown(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record.main(["show", str(release)]) == 0
    told = capsys.readouterr().out
    for words in (
        "outcome         PASS: no detectable difference",
        "met       recovery: int8 +0.01",
        "not made  x: ",
        "shown           equivalent by test",
        "request         abababababab: 1 of level patient",
        "not destroyed   private/mine.txt",
        "certificates/0001.json",
        "0 plan : pairs 4, seeds of 2, delivered abababababab",
        "1 abababababab by fold_start, exact, 1 units forgotten, verdict PASS",
    ):
        assert words in told, words


def test_a_folder_that_is_no_release_is_refused(tmp_path: Path) -> None:
    for folder, message in ((tmp_path, "holds no verdict"), (tmp_path / "none", "no such folder")):
        with pytest.raises(InputError, match=message):
            list(release_lines(folder))


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(release: Path) -> None:
    (release / "verdict.json").write_text("{")
    (release / "ledger.jsonl").write_bytes(b"\xff\n")
    told = list(release_lines(release))
    assert told[:2] == ["verdict.json", "  is not readable as JSON"]
    assert any("by fold_start" in line for line in told)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*FILES, *LINES]), data=st.data())
def test_odd_content_shows_no_control_characters(release: Path, name: str, data: st.DataObject) -> None:
    odd = data.draw(st.sampled_from([None, 3, "\x1b[2J", ["\x1b"], {"\n": "\x07"}, [[1]], [None]]))
    content = json.loads(json.dumps(FILES.get(name) or LINES[name][0]))
    content[data.draw(st.sampled_from(sorted(content)))] = odd
    (release / name).write_text(f"{json.dumps(content)}\n")
    told = list(release_lines(release))
    assert told and all(line.isprintable() for line in told)
