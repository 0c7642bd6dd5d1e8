"""A run with a verdict, and a hospital with keys."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from scripts.files import write_bytes, write_json
from scripts.identity import Identity, file_digest
from scripts.record.keys import HospitalKeys
from scripts.release.commit import Commit
from tests.record.judged import Run, passing_pool

IDS = ["secret-a", "secret-b"]


@dataclasses.dataclass(frozen=True)
class Site:
    """A run that passed, and where the hospital keeps its own."""

    run: Run
    root: Path
    keys: HospitalKeys

    def commit(self, **settings: Any) -> Commit:
        values = {
            "folder": self.run.folder,
            "request": str(self.root / "request.csv"),
            "teacher": self.run.teacher,
            "key_dir": str(self.root / "keys"),
            "anchor": str(self.root / "anchor.jsonl"),
            "tombstones": str(self.root / "tombstones.jsonl"),
            "code_version": "0 sha256:0",
        }
        return Commit(**{**values, **settings})


def prepare(root: Path, pool: dict[str, Any], *, judge: bool = True) -> Site:
    """Adapter, cache, pictures and log beside what `Run` makes."""
    run = Run(root, pool)
    private = run.folder.private
    for name in (
        "adapter/student.json",
        "adapter/adapter_model.safetensors",
        "cache/row.bin",
        "overlays/forget.png",
        "checkpoints/forget.pt",
    ):
        write_bytes(private / name, b"secret-a")
    request = {"request_id": "r1", "level": "patient", "ids": IDS, "requested_on": "2026-01-31", "ground": "research"}
    rows = [f"r1,patient,{one},2026-01-31,research" for one in IDS]
    (root / "request.csv").write_text("\n".join(["request_id,level,id,requested_on,ground", *rows]) + "\n")
    write_json(
        run.folder.resolution,
        {"request": request, "images": {"forget": ["secret-image-1"]}, "patients": {"forget": IDS}},
    )
    data = {"forget": {IDS[0]: {"secret-image-1": "digest"}, IDS[1]: {}}}
    # The procedure is the one that the simulated pool names.
    identity = Identity(data=data, procedure={"steps_per_round": 180, "seed": 0})
    write_json(run.folder.identity, {"forget": {**identity.as_dict(), "done": True}})
    run.folder.note(goal="unlearn", student=file_digest(run.folder.student))
    if judge:
        run.judge()
    run.folder.write_manifest()
    return Site(run, root, HospitalKeys.create(root / "keys"))


@pytest.fixture(scope="session")
def passing() -> dict[str, Any]:
    return passing_pool()


@pytest.fixture
def site(tmp_path: Path, passing: dict[str, Any]) -> Site:
    return prepare(tmp_path, passing)
