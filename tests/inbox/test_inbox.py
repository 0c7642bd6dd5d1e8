"""An inbox is read whole: a file that is no request has a problem by name, and ends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.errors import InputError
from scripts.inbox.batches import answers
from scripts.inbox.inbox import Received, read_inbox
from scripts.inbox.intake import take_in
from scripts.record.register import Register

HEADER = "request_id,level,id,requested_on,ground\n"


def ask(folder: Path, name: str, unit: str, date: str = "2026-02-01", *, level: str = "patient") -> None:
    (folder / f"{name}.csv").write_text(f"{HEADER}{name},{level},{unit},{date},research\n", encoding="utf-8")


def read(folder: Path, **given: object) -> dict[str, Received]:
    return {one.name: one for one in read_inbox(folder, **given)}  # type: ignore[arg-type]


def test_requests_and_lists_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(tmp_path, "a", "p1")
    (tmp_path / "b.csv").write_text("p2\np3\n")
    (tmp_path / "c.txt").write_text("eid\np4\n")
    (tmp_path / "notes.pdf").write_bytes(b"x")
    (tmp_path / ".hidden.csv").write_text("x")
    found = read(tmp_path, requested_on="2026-02-03")
    assert {name: one.request.ids for name, one in found.items() if one.request} == {
        "a": ("p1",),
        "b": ("p2", "p3"),
        "c": ("p4",),
    }
    assert found["b"].asked == f"{tmp_path / 'b.csv'}@2026-02-03"
    assert "notes.pdf: is no .csv or .txt file" in capsys.readouterr().out


def test_what_cannot_be_read_has_a_problem(tmp_path: Path) -> None:
    ask(tmp_path, "a", "p1")
    (tmp_path / "again.csv").write_text((tmp_path / "a.csv").read_text())
    (tmp_path / "bare.txt").write_text("p2\n")
    (tmp_path / "odd.csv").write_text("id,level\np1,patient\n")
    (tmp_path / "empty.csv").write_text("")
    found = read(tmp_path)
    problems = {name: one.problem for name, one in found.items() if one.request is None}
    assert set(problems) == {"again", "bare", "odd", "empty"} and found["a"].request is not None
    assert "request_id 'a' is that of a.csv" in problems["again"]
    assert "bare.txt: a bare list of withdrawals names no date; give requested_on" in problems["bare"]
    assert "odd.csv, line 1: missing column" in problems["odd"]
    original = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "a.csv":
            raise PermissionError(13, "Permission denied")
        return original(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        assert any("a.csv: cannot be read (Permission denied)" in one.problem for one in read_inbox(tmp_path))
    with pytest.raises(InputError, match="inbox: .*: no such folder"):
        read_inbox(tmp_path / "none")


def test_a_list_keeps_the_date_on_which_it_was_received(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("p2\n")
    first = read(tmp_path, requested_on="2026-02-03")["b"]
    later = read(tmp_path, requested_on="2026-05-05", dates={first.digest: "2026-02-03"})["b"]
    assert later.request == first.request


# -- from files to rows


@pytest.fixture
def register(tmp_path: Path) -> Register:
    (tmp_path / "out" / "private").mkdir(parents=True)
    return Register(tmp_path / "out", [])


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def test_rows_follow_the_files_until_they_are_begun(register: Register, inbox: Path) -> None:
    ask(inbox, "a", "p1")
    ask(inbox, "b", "p2")
    take_in(register, read(inbox), inbox=inbox)
    assert [(row.request_id, row.state, row.due_on) for row in register.rows] == [
        ("a", "received", "2026-03-01"),
        ("b", "received", "2026-03-01"),
    ]
    ask(inbox, "a", "p9", "2026-02-05")
    (inbox / "b.csv").unlink()
    take_in(register, read(inbox), inbox=inbox)
    assert [(row.request_id, row.due_on) for row in register.rows] == [("a", "2026-03-05")]
    (register.root / "requests" / "a").mkdir(parents=True)
    register.rows[0].state, register.rows[0].run = "trial", "requests/a"
    take_in(register, read(inbox), inbox=inbox)
    ask(inbox, "a", "p8")
    with pytest.raises(InputError, match="a.csv: was changed after request 'a' was begun"):
        take_in(register, read(inbox), inbox=inbox)
    (inbox / "a.csv").unlink()
    take_in(register, {}, inbox=inbox)
    assert register.rows[0].reason == "a.csv is no longer in the inbox"
    assert Register.read(register.root).rows == register.rows


def test_a_run_that_lost_its_folder_is_begun_again(register: Register, inbox: Path) -> None:
    ask(inbox, "a", "p1")
    take_in(register, read(inbox), inbox=inbox)
    row = register.rows[0]
    row.state, row.outcome, row.run, row.next = "verified", "FAIL-under", "requests/a", "models/0001"
    take_in(register, read(inbox), inbox=inbox)
    row = register.rows[0]
    assert (row.state, row.outcome, row.tries, row.next) == ("received", "", 1, "")


def test_one_by_one_or_together_by_level(register: Register, inbox: Path) -> None:
    ask(inbox, "a", "p1", "2026-02-09")
    ask(inbox, "b", "p2", "2026-02-01")
    ask(inbox, "c", "i3", level="image")
    received = read(inbox)
    take_in(register, received, inbox=inbox)
    private = register.root / "private"
    single = list(answers(register, received, batch=False, private=private))
    assert [answer.run for answer in single] == ["requests/b", "requests/c", "requests/a"]
    assert all(not answer.parts for answer in single)
    joined, alone = sorted(answers(register, received, batch=True, private=private), key=lambda one: -len(one.rows))
    assert [row.request_id for row in joined.rows] == ["b", "a"] and alone.run == "requests/c"
    request = read(private)[Path(joined.asked).stem].request
    assert request is not None and request.ids == ("p1", "p2") and request.requested_on == "2026-02-01"
    assert joined.parts == (str(inbox / "b.csv"), str(inbox / "a.csv"))
    # What was begun together stays together; nobody joins.
    for row in joined.rows:
        row.state, row.run = "trial", joined.run
    ask(inbox, "d", "p4")
    received = read(inbox)
    (register.root / joined.run).mkdir(parents=True)
    take_in(register, received, inbox=inbox)
    runs = [[row.request_id for row in one.rows] for one in answers(register, received, batch=True, private=private)]
    assert runs == [["b", "a"], ["c"], ["d"]] or runs == [["b", "a"], ["d"], ["c"]]
