"""`run commit`: the trial ends, what could give the teacher back is destroyed, the record closes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scripts.cohort.model_record import ModelRecord
from scripts.errors import InputError, Refused
from scripts.files import write_json
from scripts.identity import Identity, file_digest
from scripts.record.certificate import build_certificate, due_date, file_hashes
from scripts.record.keys import load_keys
from scripts.record.ledger import CLOSED, Ledger
from scripts.record.lineage import FILE_NAME as LINEAGE
from scripts.record.phase import read_identities
from scripts.record.run_folder import AGAIN, RunFolder
from scripts.record.signature import SIGNATURE, available, sign_release
from scripts.record.tombstones import Tombstones
from scripts.record.tries import PLAN, VERDICT, Tries
from scripts.release.batch import write_certificates
from scripts.release.destruction import Destruction
from scripts.release.gate import check_hospital_files, reason_of, require_outside, verdict_of
from scripts.release.plan import CERTIFIED, Planning
from scripts.release.successor import Successor, descended

BEFORE = (PLAN, VERDICT)  # kinds of entries that were made before the commit
DERIVED = (
    "the original model and every copy of it: it was trained on the data",
    "fold teachers and reference models that were trained with the data: run renew",
    "caches, embeddings and prepared images of other runs",
    "fingerprints, digests and prepared images beside the models: fingerprints.json, content_digests.json,"
    " private/images; run prepare again with the tombstones",
    "backups of all of these, and of the data",
    "models that recipients hold: GDPR Art. 19",
)


class Commit:
    """Refuses without a verdict that allows it; destroys, certifies, closes. The same command again goes on.

    Everything that can be refused is refused before the first file is removed.

    Args:
        folder: of the run.
        teacher: path of the original, for its hash; the hospital's file is not touched.
        key_dir: of the hospital's keys, or several of them: the first signs, all are read.
        request: the request file that the run was made for.
        batch_of: the request files that it joins, each of which gets a certificate of its own.
        anchor, tombstones: files that the hospital keeps outside of runs; "" keeps none.
        next_dir: folder in which the student becomes the teacher of the next request; "" makes none.
        override_reason: why it is committed without the verdict, in words; recorded and certified.
        accept_no_influence: whether a verdict of no measurable influence will do.
        code_version: of the bundle.
    """

    def __init__(
        self,
        *,
        folder: RunFolder,
        teacher: str | Path,
        key_dir: str | Sequence[str],
        request: str = "",
        batch_of: str | Sequence[str] = "",
        anchor: str = "",
        tombstones: str = "",
        next_dir: str = "",
        override_reason: str | None = "",
        accept_no_influence: bool = False,
        code_version: str = "",
    ) -> None:
        if not key_dir:
            raise InputError("key_dir: none is given; make the keys with python -m scripts.record keys DIR")
        if not isinstance(accept_no_influence, bool):
            raise InputError(f"accept_no_influence: '{accept_no_influence}' is not true or false")
        self.folder, self.teacher = folder, Path(teacher)
        self.key_dirs = [key_dir] if isinstance(key_dir, str) else list(key_dir)
        self.all_keys = load_keys(self.key_dirs)
        self.keys = self.all_keys[0]
        self.anchor, self.tombstones = str(anchor or ""), str(tombstones or "")
        self.next_dir = str(next_dir or "")
        self.destruction = Destruction(folder=folder)
        self.planning = Planning(
            folder=folder,
            teacher=self.teacher,
            keys=self.keys,
            request=str(request or ""),
            batch_of=[batch_of] if isinstance(batch_of, str) and batch_of else list(batch_of),
            reason=reason_of(override_reason),
            accept_no_influence=accept_no_influence,
            code_version=code_version,
            destruction=self.destruction,
        )

    def run(self) -> None:
        """Commit.

        Raises:
            Refused: the verdict does not allow it; the run was reverted or is committed; what is given is not of it.
            InputError: a file of the run is missing or changed.
        """
        state = self.folder.read_state()
        if state.get("state") == "committed":
            raise Refused(f"output_dir: {self.folder.root} is committed already")
        self.folder.refuse_ended()
        # From here on nobody else works in the folder; the log is one of the files that go.
        self.folder.stop_log()
        self.folder.take()
        for key_dir in self.key_dirs:
            require_outside(self.folder, key_dir=key_dir)
        require_outside(
            self.folder,
            anchor=self.anchor,
            tombstones=self.tombstones,
            model_dir=self.teacher,
            next_dir=self.next_dir,
        )
        check_hospital_files(anchor=self.anchor, tombstones=self.tombstones, keys=self.all_keys)
        plan = self.planning.take_up(state["commit"]) if "commit" in state else self.planning.make(state)
        ledger, tries, entries = self._ledger()
        if entries and "commit" not in state:
            raise Refused(f"{ledger.path}: is there already, but {self.folder.state_file} knows of no commit; {AGAIN}")
        successor = self._successor()
        self.folder.note(commit=self.planning.signed(plan))
        self._hand_on(plan["descent"], successor)
        destroyed, left = self.destruction.run()
        if not entries or entries[-1]["kind"] != CLOSED:
            self._certify(plan, ledger, tries, len(entries), destroyed, left)
        self.folder.note(state="committed", commit=None)
        self.folder.write_manifest()
        self.destruction.forget_journal()
        self._tell(plan, destroyed, left)

    def _successor(self) -> Successor | None:
        """The next teacher, after checking that it can be written."""
        if not self.next_dir:
            return None
        successor = Successor(self.next_dir, teacher=self.teacher, student=self.folder.student)
        successor.check()
        return successor

    def _hand_on(self, descent: Mapping[str, Any], successor: Successor | None) -> None:
        """Write the lineage and the next teacher while it is still known who was forgotten.

        After an interruption that came later both are there already.
        """
        if not self.folder.identity.is_file():
            return
        identity = Identity.read(read_identities(self.folder)["forget"], where=self.folder.identity)
        forgotten = {patient: list(images) for patient, images in identity.data.get("forget", {}).items()}
        own = {**descent, **{name: tuple(descent[name]) for name in ("parents", "forgotten")}}
        digest = file_digest(self.folder.student)
        record = ModelRecord.read(self.teacher)
        lineage = descended(self.teacher, record, student=digest, forgotten=forgotten, descent=own)
        lineage.write(self.folder.release / LINEAGE)
        if successor is not None:
            successor.write(forgotten=forgotten, descent=own)

    def _tell(self, plan: Mapping[str, Any], destroyed: list[str], left: list[str]) -> None:
        print(f"committed: {self.folder.student}; due by {due_date(plan['request']['requested_on'])}")
        print(f"destroyed: {len(destroyed)} files of the run")
        if left:
            print(f"not destroyed: {len(left)} entries that the certificate lists, the first is {left[0]}")
        for line in DERIVED:
            print(f"still with you: {line}")
        signed = (self.folder.release / SIGNATURE).is_file()
        print(f"{SIGNATURE}: {'the folder is signed' if signed else 'not signed, model-signing is not installed'}")
        if self.next_dir:
            print(f"next teacher: {self.next_dir}; give it as model_dir, and the fold teachers' folder as fold_dir")
        print(f"certificate: {self.folder.release / 'certificate.json'}")

    def _ledger(self) -> tuple[Ledger, int, list[dict[str, Any]]]:
        """The ledger, the number of verdicts in it, and what an interrupted attempt of this commit wrote into it."""
        ledger = Ledger(self.folder.release / "ledger.jsonl", keys=self.keys, anchor=self.anchor or None)
        entries = Tries(self.folder).entries()
        count = next((place for place, entry in enumerate(entries) if entry["kind"] not in BEFORE), len(entries))
        own = entries[count:]
        closed = bool(own) and own[-1]["kind"] == CLOSED
        if any(entry["kind"] in BEFORE for entry in own) or len(own) > 2 + closed:
            raise Refused(f"{ledger.path}: is not of this commit; restore the folder from where it was kept")
        tries = Tries(self.folder).earlier + sum(entry["kind"] == VERDICT for entry in entries[:count])
        return ledger, tries, own

    def _certify(
        self, plan: Mapping[str, Any], ledger: Ledger, tries: int, entries: int, destroyed: list[str], left: list[str]
    ) -> None:
        request = plan["request"]
        if entries < 1:
            about = {name: plan[name] for name in ("verdict", "override_reason", "models")}
            ledger.append("commit", {"request": request["digest"], **about})
        if entries < 2:
            ledger.append("destroyed", {"files": destroyed, "not_destroyed": left})
        if self.tombstones:
            kept = Tombstones(self.tombstones, keys=self.all_keys)
            kept.add_units([(level, unit) for level, unit in plan["tombstones"]], request=request["digest"])
        build = partial(
            build_certificate,
            keys=self.keys,
            verdict=verdict_of(self.folder) if plan["verdict_hash"] else None,
            tries=tries,
            destroyed=destroyed,
            not_destroyed=left,
            derived=DERIVED,
            **{name: plan[name] for name in CERTIFIED},
        )
        write_certificates(self.folder.release, plan["parts"], build)
        # Before the certificate, which lists it.
        if available():
            sign_release(self.folder.release, key=self.keys.model_key)
        certificate = build(request=request, files=file_hashes(self.folder.release))
        write_json(self.folder.release / "certificate.json", certificate)
        ledger.close({"signature": certificate["signature"], "verdict": certificate["verdict"]})


def code_version(bundle_root: str | Path) -> str:
    """Version of the bundle and SHA-256 of its code and configs."""
    root = Path(bundle_root)
    version = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))["version"]
    found = hashlib.sha256()
    for path in sorted([*(root / "scripts").rglob("*.py"), *(root / "configs").iterdir()]):
        if path.is_file():
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{version} sha256:{found.hexdigest()}"
