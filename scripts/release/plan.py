"""What a commit certifies: settled before the first file is destroyed, and compared again where it was interrupted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import InputError, Refused
from scripts.files import read_json, reading
from scripts.identity import Identity, file_digest
from scripts.record.bound import bound_verdict
from scripts.record.certificate import release_problems
from scripts.record.forgotten import tombstone_units
from scripts.record.keys import HospitalKeys, canonical, signed_by
from scripts.record.phase import made_exact, read_identities
from scripts.record.run_folder import AGAIN, RunFolder
from scripts.release.batch import batch_parts
from scripts.release.destruction import Destruction
from scripts.release.gate import (
    ALLOWED,
    GOALS,
    check_request,
    outcome_allowed,
    refuse_ids,
    same_as_given,
)
from scripts.report.sound import require_sound_report
from scripts.request import read_request

CERTIFIED = ("goal", "override_reason", "models", "data_hash", "config_hash", "code_version", "shown")  # of the plan
# How the certificate says that the data are gone.
EXACT, TESTED, NOT_SHOWN = "exact by lineage", "equivalent by test", "not shown"
PLAN = (*CERTIFIED, "verdict", "verdict_hash", "request", "parts", "tombstones", "descent", "key_id")


class Planning:
    """Makes the plan of a commit, or takes up that of an interrupted one; everything that can be refused is refused.

    Args:
        folder: of the run.
        teacher: path of the original, for its hash.
        keys: of the hospital; they sign the plan.
        request: the request file that the run was made for.
        batch_of: the request files that it joins; empty where it is one request.
        reason: why it is committed without the verdict; empty where none is given.
        accept_no_influence: whether a verdict of no measurable influence will do.
        code_version: of the bundle.
        destruction: of the run's files; it refuses what the run did not write.
    """

    def __init__(
        self,
        *,
        folder: RunFolder,
        teacher: Path,
        keys: HospitalKeys,
        request: str,
        batch_of: Sequence[str] = (),
        reason: str,
        accept_no_influence: bool,
        code_version: str,
        destruction: Destruction,
    ) -> None:
        self.folder, self.teacher, self.keys, self.request = folder, teacher, keys, request
        self.batch_of = tuple(batch_of)
        self.reason, self.accept_no_influence, self.code_version = reason, accept_no_influence, code_version
        self.destruction = destruction

    def make(self, state: Mapping[str, Any]) -> dict[str, Any]:
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
        _require_same(resolution, identities["forget"], path=self.folder.resolution)
        self.destruction.refuse_foreign(ids=request["ids"])
        if problems := release_problems(self.folder.release):
            raise Refused(f"{self.folder.release}: {problems[0]}; only regular files are released, remove it")
        require_sound_report(self.folder)
        refuse_ids(self.reason, request["ids"])
        models = {"before": _digest(self.teacher), "after": _digest(self.folder.student)}
        self._require_own(identities["forget"], goal=state["goal"], teacher=models["before"])
        outcome, verdict_hash = self._outcome(state, models=models, reason=self.reason)
        digest = self._request_digest(request)
        exact = made_exact(state, identities["forget"])
        return {
            "shown": EXACT if exact else TESTED if outcome in ALLOWED else NOT_SHOWN,
            "descent": {
                "parents": sorted({models["before"], *identities["forget"].model.values()}),
                "method": str(state.get("method", "")),
                "exact": exact,
                "request": digest,
                "forgotten": sorted({unit for _, unit in hidden}),
                "verdict": outcome,
            },
            "verdict": outcome,
            "verdict_hash": verdict_hash,
            "override_reason": self.reason if outcome not in ALLOWED else "",
            "goal": state["goal"],
            "models": models,
            "request": self._hidden(request),
            "parts": [self._hidden(part.as_dict()) for part in batch_parts(self.batch_of, request)],
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

    def take_up(self, stored: object) -> dict[str, Any]:
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

    def _require_own(self, identity: Identity, *, goal: str, teacher: str) -> None:
        """Raise Refused where teacher or goal, which the certificate names, are not those of forgetting."""
        if teacher != identity.model.get("teacher", teacher):
            raise Refused(
                f"{self.teacher}: is not the model that the run started from; give model_dir and model_name of that one"
            )
        if goal != identity.procedure.get("goal", goal):
            raise Refused(
                f"{self.folder.state_file}: goal '{goal}' is not that of forgetting, '{identity.procedure['goal']}';"
                f" {AGAIN}"
            )

    def _hidden(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A request as a certificate names it."""
        return {
            "digest": self._request_digest(request),
            "level": request["level"],
            "units": sorted(self.keys.hide(request["level"], unit) for unit in request["ids"]),
            "requested_on": request["requested_on"],
            "ground": request["ground"],
        }

    def _request_digest(self, request: Mapping[str, Any]) -> str:
        return self.keys.hide("request", canonical(request).decode())

    def signed(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """The plan as the state file keeps it."""
        return {**plan, "signature": self.keys.sign(canonical(plan))}


def _require_same(resolution: Mapping[str, Any], identity: Identity, *, path: Path) -> None:
    """Raise Refused where the resolution names others as forgotten than those from whom the run follows.

    Tombstones and certificate are made of the resolution; another patient would be kept out from then on.
    """
    forgotten = identity.data.get("forget", {})
    images = sorted(image for own in forgotten.values() for image in own)
    with reading(path, remedy=AGAIN):
        named = sorted(resolution["patients"]["forget"]), sorted(resolution["images"]["forget"])
    if named != (sorted(forgotten), images):
        raise Refused(f"{path}: names other patients or images as forgotten than the run forgot; {AGAIN}")


def _hash(content: object) -> str:
    return hashlib.sha256(canonical(content)).hexdigest()


def _digest(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: no such model")
    return hashlib.sha256(path.read_bytes()).hexdigest()
