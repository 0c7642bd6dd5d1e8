"""`run commit`: the trial ends, what could give the teacher back is destroyed, the record closes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import InputError, Refused
from scripts.files import read_json, reading, write_json
from scripts.identity import Identity, file_digest
from scripts.record.bound import bound_verdict
from scripts.record.certificate import build_certificate, due_date, file_hashes, release_problems
from scripts.record.keys import canonical, load_keys, signed_by
from scripts.record.ledger import CLOSED, Ledger, chain_errors, read_entries
from scripts.record.phase import read_identities
from scripts.record.run_folder import AGAIN, RunFolder
from scripts.record.signature import SIGNATURE, available, sign_release
from scripts.record.tombstones import Tombstones, tombstone_units
from scripts.release.destruction import Destruction
from scripts.release.gate import (
    ALLOWED,
    GOALS,
    check_hospital_files,
    check_request,
    outcome_allowed,
    reason_of,
    refuse_ids,
    require_outside,
    same_as_given,
    verdict_of,
)
from scripts.report.sound import require_sound_report
from scripts.request import read_request

CERTIFIED = ("goal", "override_reason", "models", "data_hash", "config_hash", "code_version")  # of the plan
PLAN = (*CERTIFIED, "verdict", "verdict_hash", "request", "tombstones", "key_id")
DERIVED = (
    "the original model and every copy of it: it was trained on the data",
    "fold teachers and reference models that were trained with the data",
    "caches, embeddings and prepared images of other runs",
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
        anchor, tombstones: files that the hospital keeps outside of runs; "" keeps none.
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
        anchor: str = "",
        tombstones: str = "",
        override_reason: str | None = "",
        accept_no_influence: bool = False,
        code_version: str = "",
    ) -> None:
        if not key_dir:
            raise InputError("key_dir: none is given; make the keys with python -m scripts.record keys DIR")
        if not isinstance(accept_no_influence, bool):
            raise InputError(f"accept_no_influence: '{accept_no_influence}' is not true or false")
        self.folder, self.teacher, self.request = folder, Path(teacher), str(request or "")
        self.key_dirs = [key_dir] if isinstance(key_dir, str) else list(key_dir)
        self.all_keys = load_keys(self.key_dirs)
        self.keys = self.all_keys[0]
        self.anchor, self.tombstones = str(anchor or ""), str(tombstones or "")
        self.reason = reason_of(override_reason)
        self.accept_no_influence = accept_no_influence
        self.code_version = code_version
        self.destruction = Destruction(folder=folder)

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
        require_outside(self.folder, anchor=self.anchor, tombstones=self.tombstones, model_dir=self.teacher)
        check_hospital_files(anchor=self.anchor, tombstones=self.tombstones, keys=self.all_keys)
        plan = self._resumed(state["commit"]) if "commit" in state else self._plan(state)
        ledger, entries = self._ledger()
        if entries and "commit" not in state:
            raise Refused(f"{ledger.path}: is there already, but {self.folder.state_file} knows of no commit; {AGAIN}")
        self.folder.note(commit={**plan, "signature": self.keys.sign(canonical(plan))})
        destroyed, left = self.destruction.run()
        if not entries or entries[-1]["kind"] != CLOSED:
            self._certify(plan, ledger, len(entries), destroyed, left)
        self.folder.note(state="committed", commit=None)
        self.folder.write_manifest()
        self.destruction.forget_journal()
        self._tell(plan, destroyed, left)

    def _tell(self, plan: Mapping[str, Any], destroyed: list[str], left: list[str]) -> None:
        print(f"committed: {self.folder.student}; due by {due_date(plan['request']['requested_on'])}")
        print(f"destroyed: {len(destroyed)} files of the run")
        if left:
            print(f"not destroyed: {len(left)} entries that the certificate lists, the first is {left[0]}")
        for line in DERIVED:
            print(f"still with you: {line}")
        signed = (self.folder.release / SIGNATURE).is_file()
        print(f"{SIGNATURE}: {'the folder is signed' if signed else 'not signed, model-signing is not installed'}")
        print(f"certificate: {self.folder.release / 'certificate.json'}")

    def _ledger(self) -> tuple[Ledger, list[dict[str, Any]]]:
        """The ledger of this commit, and what an interrupted attempt wrote into it."""
        ledger = Ledger(self.folder.release / "ledger.jsonl", keys=self.keys, anchor=self.anchor or None)
        entries = read_entries(ledger.path) if ledger.path.exists() else []
        closed = bool(entries) and entries[-1]["kind"] == CLOSED
        if chain_errors(entries) or len(entries) > 2 + closed:
            raise Refused(f"{ledger.path}: is not of this commit; restore the folder from where it was kept")
        return ledger, entries

    def _certify(
        self, plan: Mapping[str, Any], ledger: Ledger, entries: int, destroyed: list[str], left: list[str]
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
        # Before the certificate, which lists it.
        if available():
            sign_release(self.folder.release, key=self.keys.model_key)
        certificate = build_certificate(
            keys=self.keys,
            request=request,
            verdict=verdict_of(self.folder) if plan["verdict_hash"] else None,
            files=file_hashes(self.folder.release),
            destroyed=destroyed,
            not_destroyed=left,
            derived=DERIVED,
            **{name: plan[name] for name in CERTIFIED},
        )
        write_json(self.folder.release / "certificate.json", certificate)
        ledger.close({"signature": certificate["signature"], "verdict": certificate["verdict"]})

    def _plan(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """All that the certificate needs of what is about to go; hidden ids only."""
        for path in (self.folder.student, self.folder.adapter / "student.json"):
            if not path.is_file():
                raise InputError(f"{path}: is missing; run forget first, with the same output_dir")
        self.folder.require_trial()
        if state["goal"] not in GOALS:
            raise InputError(
                f"{self.folder.state_file}: goal '{state['goal']}' is not one of {', '.join(GOALS)}; {AGAIN}"
            )
        resolution = read_json(self.folder.resolution, remedy=AGAIN)
        request = check_request(resolution.get("request"), path=self.folder.resolution)
        same_as_given(request, self.request, folder=self.folder)
        with reading(self.folder.resolution, remedy=AGAIN):
            hidden = tombstone_units(resolution, self.keys)
        identities = self._identities()
        self.destruction.refuse_foreign(ids=request["ids"])
        if problems := release_problems(self.folder.release):
            raise Refused(f"{self.folder.release}: {problems[0]}; only regular files are released, remove it")
        require_sound_report(self.folder)
        refuse_ids(self.reason, request["ids"])
        models = {"before": _digest(self.teacher), "after": _digest(self.folder.student)}
        outcome, verdict_hash = self._outcome(state, models=models, reason=self.reason)
        return {
            "verdict": outcome,
            "verdict_hash": verdict_hash,
            "override_reason": self.reason if outcome not in ALLOWED else "",
            "goal": state["goal"],
            "models": models,
            "request": {
                "digest": self._request_digest(request),
                "level": request["level"],
                "units": sorted(self.keys.hide(request["level"], unit) for unit in request["ids"]),
                "requested_on": request["requested_on"],
                "ground": request["ground"],
            },
            "tombstones": [list(pair) for pair in hidden],
            # Of the contents of every image and label, and of all settings of all phases that ran.
            "data_hash": self.keys.hide("data", canonical(identities["forget"].as_dict()["data"]).decode()),
            "config_hash": _hash({name: one.as_dict()["procedure"] for name, one in identities.items()}),
            "code_version": self.code_version,
            "key_id": self.keys.key_id,
        }

    def _outcome(self, state: Mapping[str, Any], *, models: Mapping[str, str], reason: str) -> tuple[str, str]:
        """The verdict that the commit rests on, and the hash of its file; no hash where it rests on none."""
        verdict = bound_verdict(self.folder, self.teacher)
        if verdict is not None and verdict["outcome"] != state.get("verdict"):
            raise Refused(
                f"{self.folder.verdict}: says {verdict['outcome']}, but verify recorded {state.get('verdict')};"
                " run verify again"
            )
        outcome = outcome_allowed(self.folder, verdict, models=models, accept=self.accept_no_influence, reason=reason)
        return outcome, _digest(self.folder.verdict) if verdict and outcome == verdict["outcome"] else ""

    def _resumed(self, stored: object) -> dict[str, Any]:
        """The plan of an interrupted commit, compared again with what is there.

        Raises:
            Refused: it is not signed by these keys, or a file that it names was changed since.
        """
        path = self.folder.state_file
        with reading(path, remedy=AGAIN):
            plan = dict(stored)  # type: ignore[call-overload]
            signature = str(plan.pop("signature"))
            sound = set(plan) == set(PLAN) and signed_by(self.keys.public_pem, canonical(plan), signature)
        if not sound:
            raise Refused(
                f"{path}: the plan of the interrupted commit was changed, or made with other keys than those of key_dir"
            )
        request = self.folder.resolution
        pairs = [
            (self.folder.student, _digest(self.folder.student), plan["models"]["after"]),
            (self.teacher, _digest(self.teacher), plan["models"]["before"]),
        ]
        if plan["verdict_hash"]:
            pairs.append((self.folder.verdict, _digest(self.folder.verdict), plan["verdict_hash"]))
        if request.is_file():
            known = check_request(read_json(request, remedy=AGAIN).get("request"), path=request)
            same_as_given(known, self.request, folder=self.folder)
            pairs.append((request, self._request_digest(known), plan["request"]["digest"]))
        elif self.request:
            asked = read_request(self.request).as_dict()
            pairs.append((Path(self.request), self._request_digest(asked), plan["request"]["digest"]))
        for changed, found, planned in pairs:
            if found != planned:
                raise Refused(
                    f"{changed}: is not what the interrupted commit of {self.folder.root} was begun with;"
                    " put back what was there, and give the same settings"
                )
        self.destruction.refuse_foreign()
        return plan

    def _identities(self) -> dict[str, Identity]:
        """Phase -> what it followed from.

        Raises:
            InputError: there is no record of forgetting.
            Refused: the student is not what the last phase wrote.
        """
        path = self.folder.identity
        found = {name: Identity.read(one, where=path) for name, one in read_identities(self.folder).items()}
        if "forget" not in found:
            raise InputError(f"{path}: no record of forgetting; {AGAIN}")
        if self.folder.read_state().get("student") != file_digest(self.folder.student):
            raise Refused(f"{self.folder.student}: is not the student that the run wrote; {AGAIN}")
        return found

    def _request_digest(self, request: Mapping[str, Any]) -> str:
        return self.keys.hide("request", canonical(request).decode())


def _hash(content: object) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()


def _digest(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: no such model")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def code_version(bundle_root: str | Path) -> str:
    """Version of the bundle and SHA-256 of its code and configs."""
    root = Path(bundle_root)
    version = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))["version"]
    found = hashlib.sha256()
    for path in sorted([*(root / "scripts").rglob("*.py"), *(root / "configs").iterdir()]):
        if path.is_file():
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{version} sha256:{found.hexdigest()}"
