"""A batch: one student, and for each of its requests a certificate that an auditor can check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError, Refused
from scripts.files import write_json
from scripts.record.check import check_release
from tests.release.conftest import IDS, Site


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def part_files(site: Site) -> list[str]:
    """The request of the run as two of one patient each, on dates of their own."""
    files = []
    for number, one in enumerate(IDS):
        path = site.root / f"part{number}.csv"
        row = f"part{number},patient,{one},2026-01-0{number + 1},consent_withdrawn"
        path.write_text(f"request_id,level,id,requested_on,ground\n{row}\n")
        files.append(str(path))
    return files


def test_each_request_of_a_batch_has_a_certificate(site: Site) -> None:
    site.commit(batch_of=part_files(site)).run()
    release = site.run.folder.release
    whole = read(release / "certificate.json")
    parts = [read(release / "certificates" / f"{number:04d}.json") for number in (1, 2)]
    assert [part["request"]["due_on"] for part in parts] == ["2026-02-01", "2026-02-02"]
    units = [site.keys.hide("patient", one) for one in IDS]
    assert [part["request"]["units"] for part in parts] == [[unit] for unit in units]
    assert all(part["models"] == whole["models"] and part["verdict"] == whole["verdict"] for part in parts)
    assert {"certificates/0001.json", "certificates/0002.json"} <= set(whole["files"])
    assert not any(name.startswith("certificates") for part in parts for name in part["files"])
    checks = dict(check_release(release))
    assert {"certificates/0001.json", "certificates/0002.json"} <= set(checks) and not any(checks.values())


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda part: part["request"].update(units=["0" * 64]), "its signature does not hold"),
        (lambda part: part.update(verdict="FAIL-under"), "it is of another student than the certificate of the batch"),
    ],
)
def test_a_changed_certificate_of_a_part_is_found(site: Site, spoil: Any, problem: str) -> None:
    site.commit(batch_of=part_files(site)).run()
    path = site.run.folder.release / "certificates" / "0002.json"
    content = read(path)
    spoil(content)
    write_json(path, content)
    checks = dict(check_release(site.run.folder.release))
    assert problem in checks["certificates/0002.json"] and checks["certificate and files"]


def test_parts_that_do_not_add_up_are_refused(site: Site) -> None:
    one, other = part_files(site)
    for files, message in (
        ([one], "together the files name other ids"),
        ([one, one], "several requests are called 'part0'"),
        ([one, other, str(site.root / "none.csv")], "no such request file"),
    ):
        with pytest.raises((Refused, InputError), match=message):
            site.commit(batch_of=files).run()
    assert (site.run.folder.private / "adapter" / "student.json").is_file()
    assert not (site.run.folder.release / "certificate.json").exists()
