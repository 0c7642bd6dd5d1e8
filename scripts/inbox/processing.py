"""`run process`: every pending request, the oldest due date first, or all of them by one student.

A request goes on from the model that the one before it left. Whatever is interrupted, the same command goes on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from scripts.chain import overrides, run_workflow
from scripts.cohort.build import FOLD_TEACHERS
from scripts.errors import InputError, user_error
from scripts.inbox.batches import Answer, answers
from scripts.inbox.inbox import Received, read_inbox
from scripts.inbox.intake import WAITING, take_in
from scripts.record.keys import load_keys
from scripts.record.lock import lock_folder, unlock_folder
from scripts.record.register import COMMITTED, RECEIVED, REFUSED, TRIAL, VERIFIED, Register, Row, exit_code_of
from scripts.record.run_folder import RunFolder
from scripts.release.gate import ALLOWED, NO_INFLUENCE, verdict_of
from scripts.release.successor import MODEL
from scripts.settings.given import Settings

OWN = ("request", "withdrawn", "forget_ratio", "next_dir", "batch_of", "override_reason", "fold")
PAIRED, NONE = "paired", "none"


class Processing:
    """Answers the requests of an inbox.

    Args:
        config_dir: folder of the workflow files.
        settings: of this workflow, and what was given for those that it runs.
        resolve: workflow, settings -> whom they stand for; refuses what the workflow would refuse, and opens no image.
    """

    def __init__(
        self, *, config_dir: str | Path, settings: Settings, resolve: Callable[[str, Mapping[str, Any]], Any]
    ) -> None:
        self.config_dir, self.settings, self.resolve = Path(config_dir), settings, resolve
        # Whole paths: the register is read by commands that stand elsewhere.
        self.root = Path(settings.output_dir or "eval/process").absolute()
        self.register = Register(self.root, [])

    def run(self) -> None:
        """Answer what is pending.

        Raises:
            InputError: a setting is missing or is one of a single request; a request was changed after it was begun.
            Refused: another command is at work in the folder.
        """
        self._check_settings()
        received = {one.name: one for one in self._received()}
        if not received:
            print(f"process: {self.settings.inbox} holds no request", flush=True)
        private = self.root / "private"
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_folder(private, shown=self.root)
        try:
            self.register = Register.read(self.root)
            self.register.model = self.register.model or str(Path(self.settings.model_dir).absolute())
            self.register.renewed = self.register.renewed or self.register.model
            take_in(self.register, received, inbox=self.settings.inbox)
            self._adopt()
            # Settings that fit no request end the command here, and not each request.
            self.resolve("prepare", self._own("prepare"))
            self._renew()
            self._resolve_each(received)
            for answer in answers(self.register, received, batch=self.settings.batch, private=private):
                self._answer(answer)
        finally:
            unlock_folder(private)

    def tell(self) -> None:
        """Print the table of all requests."""
        print("\n".join(["", *self.register.table(date.today())]), flush=True)

    def end(self) -> None:
        """End the command with the exit code of the requests that are not committed.

        Raises:
            SystemExit: 3, 4, 5 or 6, see `exit_code_of`.
        """
        if code := exit_code_of(self.register.rows):
            raise SystemExit(code)

    def _check_settings(self) -> None:
        for name in OWN:
            if name in self.settings.given:
                raise InputError(f"{name}: is of a single request; process takes its requests from inbox")
        for name in ("inbox", "key_dir", "tombstones"):
            if not self.settings[name]:
                raise InputError(f"{name}: none is given; process commits requests, and keeps who is gone out")
        load_keys(self.settings.key_dir)

    def _received(self) -> list[Received]:
        known = Register.read(self.root)
        dates = {row.digest: row.requested_on for row in known.rows if row.requested_on}
        return read_inbox(self.settings.inbox, requested_on=self.settings.requested_on, dates=dates)

    def _resolve_each(self, received: Mapping[str, Received]) -> None:
        """Refuse what no run could be made for, each by itself: in a batch one would end the run of all."""
        for row in self.register.by_due_date():
            one = received.get(row.request_id)
            if row.state not in WAITING or one is None or one.request is None:
                continue
            problem = ""
            try:
                self.resolve("forget", {**self._own("forget"), "request": one.asked})
            except (InputError, RuntimeError) as error:
                if (found := user_error(error)) is None:
                    raise
                problem = str(found)
                print(f"process: {row.request_id}: refused: {problem}", flush=True)
            self._note([row], state=REFUSED if problem else RECEIVED, reason=problem)

    # -- one student

    def _answer(self, answer: Answer) -> None:
        """From where the answer stands to its commit, or to what keeps it from there."""
        rows = answer.rows
        if rows[0].state == RECEIVED:
            self._note(rows, run=answer.run, model=self.register.model)
            if problem := self._step("unlearn", answer):
                self._note(rows, state=REFUSED, reason=problem)
                return
            if tries := max(row.tries for row in rows):
                self._folder(answer.run).note(earlier_tries=tries)
            self._note(rows, state=TRIAL, reason="")
        if rows[0].model != self.register.model:
            self._note(rows, reason="its trial is of an earlier model; remove the folder of its run to begin again")
            return
        if rows[0].state == TRIAL:
            problem = self._step("references", answer) if self.settings.evidence == PAIRED else ""
            if problem := problem or self._step("verify", answer):
                self._note(rows, reason=problem)
                return
            verdict = verdict_of(self._folder(answer.run))
            assert verdict is not None, "verify writes one, or says why not"
            self._note(rows, state=VERIFIED, outcome=verdict["outcome"], reason="")
        allowed = (*ALLOWED, NO_INFLUENCE) if self.settings.accept_no_influence else ALLOWED
        if rows[0].outcome not in allowed:
            self._note(rows, reason=f"for a person to decide; to commit it nevertheless: {self._by_hand(answer)}")
            return
        self._commit(answer)

    def _adopt(self) -> None:
        """Take up what was committed without being noted: by an attempt that was interrupted, or by a person."""
        for row in self.register.rows:
            if row.state == VERIFIED and row.model == self.register.model and self._committed(row):
                self._become([one for one in self.register.rows if one.run == row.run])

    def _become(self, rows: Sequence[Row]) -> None:
        """Let the students of these requests be the present model."""
        self.register.model = rows[0].next
        self._note(rows, state=COMMITTED, reason="")

    def _commit(self, answer: Answer) -> None:
        """The student becomes the present model; the pool is brought up to it."""
        rows = answer.rows
        self._note(rows, next=rows[0].next or self._next())
        if problem := self._step("commit", answer):
            self._note(rows, reason=problem)
            return
        self._become(rows)
        self._renew()

    def _next(self) -> str:
        """A new folder for the next model: one that is neither there nor planned."""
        folder = self.root / "models"
        taken = {Path(row.next).name for row in self.register.rows} | {path.name for path in folder.glob("*")}
        number = next(number for number in itertools.count(1) if f"{number:04d}" not in taken)
        return str(folder / f"{number:04d}")

    def _renew(self) -> None:
        """Bring the pool up to the present model, where it is not."""
        if self.settings.renew_by == NONE or self.register.renewed == self.register.model:
            return
        if not any(Path(self.settings.fold_dir or self.settings.model_dir).glob(FOLD_TEACHERS)):
            return  # requests are answered without a pool
        run_workflow([str(self.config_dir / "renew.yaml")], run_id="renew", overrides=self._own("renew"))
        self.register.renewed = self.register.model
        self.register.write()

    def _step(self, workflow: str, answer: Answer) -> str:
        """Run a step of a request; why it could not be done, in words, where the operator can mend that."""
        print(f"process: {', '.join(row.request_id for row in answer.rows)}: {workflow}", flush=True)
        own = {**self._own(workflow), "request": answer.asked, "output_dir": str(self.root / answer.run)}
        if workflow == "commit":
            own |= {"next_dir": answer.rows[0].next, "batch_of": list(answer.parts)}
        try:
            run_workflow([str(self.config_dir / f"{workflow}.yaml")], run_id=workflow, overrides=own)
        except SystemExit:
            return ""  # a verdict that is no PASS ends its command with a code of its own
        except Exception as error:
            if (found := user_error(error)) is None:
                raise
            print(f"process: {found}", flush=True)
            return str(found)
        return ""

    def _own(self, workflow: str) -> dict[str, Any]:
        """Settings of a step: what was given, the present model, and who is gone."""
        own = overrides(self.settings, workflow) | {"model_dir": self.register.model}
        own.pop("requested_on", None)  # of bare lists: a step is told the date with the list
        own["output_dir"] = str(self.root / "pool")  # of what is made for the pool; a request's run has its own
        if self.register.model != str(Path(self.settings.model_dir).absolute()):
            own["model_name"] = MODEL  # as a commit writes it, with its split beside it
            own.pop("split_dir", None)
        if workflow == "commit":
            return own
        if not Path(self.settings.tombstones).exists():  # it is there from the first commit on
            own = {name: value for name, value in own.items() if name not in ("tombstones", "key_dir")}
        return own | {"fold_dir": str(self.settings.fold_dir or self.settings.model_dir)}

    # -- where it stands

    def _note(self, rows: Sequence[Row], **changes: str) -> None:
        for row in rows:
            for name, value in changes.items():
                setattr(row, name, value)
        self.register.write()

    def _folder(self, run: str) -> RunFolder:
        return RunFolder(output_dir=self.root / run, log=False)

    def _committed(self, row: Row) -> bool:
        """Whether its run was committed to the folder that this command planned."""
        there = bool(row.next) and (Path(row.next) / "model.pt").is_file()
        return there and self._folder(row.run).read_state().get("state") == COMMITTED

    def _by_hand(self, answer: Answer) -> str:
        """The command by which a person commits it; afterwards process goes on from there."""
        if not answer.rows[0].next:
            self._note(answer.rows, next=self._next())
        given = {
            "output_dir": self.root / answer.run,
            "model_dir": self.register.model,
            "request": answer.asked,
            "next_dir": answer.rows[0].next,
            "key_dir": self.settings.key_dir,
            "tombstones": self.settings.tombstones,
            **({"batch_of": list(answer.parts)} if answer.parts else {}),
        }
        told = " ".join(f"--{name} {value}" for name, value in given.items())
        return f"run commit with {told} and --override_reason, then process again"
