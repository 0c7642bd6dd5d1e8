"""`run commit`: the trial ends, what could give the teacher back is destroyed, the record closes."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import InputError, Refused
from scripts.files import write_json
from scripts.record.bound import bound_verdict
from scripts.record.certificate import build_certificate, due_date, file_hashes, release_problems
from scripts.record.keys import canonical, load_keys
from scripts.record.ledger import CLOSED, Ledger, chain_errors, read_entries
from scripts.record.run_folder import RunFolder
from scripts.record.signature import SIGNATURE, available, sign_release
from scripts.record.tombstones import Tombstones, tombstone_units
from scripts.report.sound import require_sound_report

ALLOWED = ("PASS",)
NO_INFLUENCE = "NO-MEASURABLE-INFLUENCE"
KEPT = ("private/state.json", "private/manifest.json")  # no ids, no pixels
CERTIFIED = ("goal", "override_reason", "models", "data_hash", "config_hash", "code_version")  # of the plan
DERIVED = (
    "the original model and every copy of it: it was trained on the data",
    "fold teachers and reference models that were trained with the data",
    "caches, embeddings and prepared images of other runs",
    "backups of all of these, and of the data",
    "models that recipients hold: GDPR Art. 19",
)


class Commit:
    """Refuses without a verdict that allows it; destroys, certifies, closes. The same command again goes on.

    Args:
        folder: of the run.
        teacher: path of the original, for its hash; the hospital's file is not touched.
        key_dir: of the hospital's keys.
        anchor, tombstones: files that the hospital keeps outside of runs; "" keeps none.
        override_reason: why it is committed without the verdict; recorded and certified.
        accept_no_influence: whether a verdict of no measurable influence will do.
        code_version: of the bundle.
    """

    def __init__(
        self,
        *,
        folder: RunFolder,
        teacher: str | Path,
        key_dir: str,
        anchor: str = "",
        tombstones: str = "",
        override_reason: str = "",
        accept_no_influence: bool = False,
        code_version: str = "",
    ) -> None:
        if not key_dir:
            raise InputError("key_dir: none is given; make the keys with python -m scripts.record keys DIR")
        self.folder, self.teacher = folder, Path(teacher)
        self.all_keys = load_keys(key_dir)
        self.keys = self.all_keys[0]
        self.anchor, self.tombstones = anchor, tombstones
        self.reason = " ".join(str(override_reason).split())
        self.accept_no_influence = bool(accept_no_influence)
        self.code_version = code_version

    def run(self) -> None:
        """Commit.

        Raises:
            Refused: the verdict does not allow it; the run was reverted or is committed.
            InputError: a file of the run is missing or changed.
        """
        state = self.folder.read_state()
        if state.get("state") == "committed":
            raise Refused(f"output_dir: {self.folder.root} is committed already")
        self.folder.refuse_ended()
        plan = state.get("commit") or self._plan(state)
        self.folder.note(commit=plan)
        destroyed, left = self._destroy(plan["destroy"])
        ledger = Ledger(self.folder.release / "ledger.jsonl", keys=self.keys, anchor=self.anchor or None)
        entries = read_entries(ledger.path) if ledger.path.exists() else []
        closed = bool(entries) and entries[-1]["kind"] == CLOSED
        if chain_errors(entries) or len(entries) > 2 + closed:
            raise Refused(f"{ledger.path}: is not of this commit; restore the folder from where it was kept")
        if not closed:
            self._certify(plan, ledger, len(entries), destroyed, left)
        self.folder.note(state="committed", commit=None)
        self.folder.write_manifest()
        print(f"committed: {self.folder.student}; due by {due_date(plan['request']['requested_on'])}")
        print(f"destroyed: {len(destroyed)} files of the run" + (f"; {len(left)} could not be" if left else ""))
        for line in DERIVED:
            print(f"still with you: {line}")
        signed = (self.folder.release / SIGNATURE).is_file()
        print(f"{SIGNATURE}: {'the folder is signed' if signed else 'not signed, model-signing is not installed'}")
        print(f"certificate: {self.folder.release / 'certificate.json'}")

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
            verdict=self._verdict(),
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
        if not self.folder.student.is_file():
            raise InputError(f"{self.folder.student}: no student; run forget first, with the same output_dir")
        if problems := release_problems(self.folder.release):
            raise Refused(f"{self.folder.release}: {problems[0]}; only regular files are released, remove it")
        require_sound_report(self.folder)
        models = {"before": _digest(self.teacher), "after": _digest(self.folder.student)}
        outcome = self._allowed(models)
        try:
            resolution = json.loads(self.folder.resolution.read_text(encoding="utf-8"))
            request, images = resolution["request"], resolution["images"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.folder.resolution}: not readable; run forget again") from error
        if not request:
            raise InputError("request: the run was made with forget_ratio, for research; only a request is committed")
        hidden = [self.keys.hide(request["level"], unit) for unit in request["ids"]]
        return {
            "verdict": outcome,
            "override_reason": self.reason if outcome not in ALLOWED else "",
            "goal": state.get("goal", "unlearn"),
            "models": models,
            "request": {
                "digest": self.keys.hide("request", canonical(request).decode()),
                "level": request["level"],
                "units": sorted(hidden),
                "requested_on": request["requested_on"],
                "ground": request["ground"],
            },
            "data_hash": self.keys.hide("data", canonical(images).decode()),
            "config_hash": hashlib.sha256(canonical(state.get("recipe", ""))).hexdigest(),
            "code_version": self.code_version,
            "tombstones": tombstone_units(resolution, self.keys) if self.tombstones else [],
            "destroy": self._doomed(),
        }

    def _allowed(self, models: Mapping[str, str]) -> str:
        """The verdict's outcome.

        Raises:
            Refused: it does not allow a commit, and no reason to override it is given.
        """
        verdict = bound_verdict(self.folder, self.teacher)
        allowed = (*ALLOWED, NO_INFLUENCE) if self.accept_no_influence else ALLOWED
        if verdict is None:
            outcome, why = "no verdict", "there is no verdict; run references and verify"
        else:
            outcome, why = str(verdict["outcome"]), f"the verdict is {verdict['outcome']}"
        if outcome in allowed:
            return outcome
        if not self.reason:
            hint = " or accept_no_influence: true" if outcome == NO_INFLUENCE else ""
            raise Refused(f"output_dir: {self.folder.root}: {why}; to commit nevertheless give override_reason{hint}")
        return outcome

    def _verdict(self) -> dict[str, Any] | None:
        path = self.folder.verdict
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return found if found["outcome"] and found["models"] is not None else None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not readable; run verify again") from error

    def _doomed(self) -> list[str]:
        """Files of `private/` that the run's manifest names, by their place in the run."""
        try:
            named = json.loads(self.folder.manifest.read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.folder.manifest}: not readable; run verify again") from error
        return [name for name in named if name.startswith("private/") and name not in KEPT]

    def _destroy(self, names: list[str]) -> tuple[list[str], list[str]]:
        """Remove what lies inside `private/`; links, and what cannot be removed, are left and listed."""
        for handler in [h for h in logging.getLogger().handlers if isinstance(h, logging.FileHandler)]:
            if Path(handler.baseFilename) == (self.folder.private / "run.log").resolve():
                logging.getLogger().removeHandler(handler)
                handler.close()
        inside = self.folder.private.resolve()
        gone, left = [], []
        for name in names:
            path = self.folder.root / name
            if path.is_symlink() or not path.resolve().is_relative_to(inside):
                left.append(name)
                continue
            try:
                path.unlink(missing_ok=True)
                gone.append(name)
            except OSError:
                left.append(name)
        for folder in sorted((path for path in inside.rglob("*") if path.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        return gone, left


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
