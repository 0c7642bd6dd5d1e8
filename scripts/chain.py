"""Several workflows in one process: the steps of a chain, the folds of a pool."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts import processes
from scripts.errors import InputError, require_positive
from scripts.settings import Invocation, read_config, workflow_ids

SEED_STRIDE = 10_000  # between the seeds of a fold's members, so that studies of neighbouring seeds share none


def run_workflow(files: Sequence[str], *, run_id: str = "run", overrides: Mapping[str, Any] | None = None) -> Any:
    """Initialise, run and finalise one MONAI ConfigWorkflow; returns it."""
    from monai.bundle import ConfigWorkflow

    # Each step would announce that it has no logging file and no workflow type of its own.
    logging.getLogger("monai.bundle.workflows").setLevel(logging.ERROR)
    workflow = ConfigWorkflow(
        config_file=list(files), workflow_type=None, run_id=run_id, logging_file=False, **dict(overrides or {})
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return workflow


class Chain:
    """Runs `configs/<step>.yaml` for each step, with the settings that this run was given.

    A step takes those settings that it knows; the chain's own file supplies the rest of them. Of several processes
    the first runs alone what is not made for more: a workflow without the setting `distributed`.

    Args:
        config_dir: folder of the workflow files.
        steps: workflow names, in order.
        settings: values for all steps; when None, overlays and overrides of the command line.
    """

    def __init__(
        self, *, config_dir: str | Path, steps: Sequence[str], settings: Mapping[str, Any] | None = None
    ) -> None:
        self.config_dir = Path(config_dir)
        self.steps = tuple(steps)
        self.settings = dict(settings) if settings is not None else command_line_settings()

    def run(self) -> None:
        """Run the steps; the first error ends the chain."""
        for step in self.steps:
            path = self.config_dir / f"{step}.yaml"
            if not path.is_file():
                raise InputError(f"steps: '{step}' is no workflow in {self.config_dir}")
            known = workflow_ids(path)
            own = {key: value for key, value in self.settings.items() if key in known}
            if "distributed" in known:
                run_workflow([str(path)], overrides=own)
            else:
                processes.once(lambda path=path, own=own: self._run_alone(path, own))  # type: ignore[misc]

    @staticmethod
    def _run_alone(path: Path, settings: Mapping[str, Any]) -> None:
        run_workflow([str(path)], overrides=settings)


def command_line_settings(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Overlays and overrides of the running `monai.bundle run`, flattened, later ones first in rank."""
    invocation = Invocation.from_argv(sys.argv if argv is None else argv)
    merged: dict[str, Any] = {}
    for overlay in invocation.config_files[1:]:
        merged.update(read_config(overlay))
    merged.update(invocation.overrides)
    return {key.replace("#", "::"): value for key, value in merged.items()}


class FoldPool:
    """Train the fold teachers: the same workflow once per fold and member, each without that fold's patients.

    Member 0 of a fold has the teacher's own seed; the others have seeds of their own.

    Args:
        workflow: path of the training workflow.
        folds: how many.
        members: teachers per fold.
        seed: of member 0.
        settings: as in `Chain`.
    """

    def __init__(
        self,
        *,
        workflow: str | Path,
        folds: int,
        members: int = 1,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        require_positive(fold_members=members)
        self.workflow = str(workflow)
        self.folds, self.members, self.seed = int(folds), int(members), int(seed)
        self.settings = dict(settings) if settings is not None else command_line_settings()

    def run(self) -> None:
        """Train what is missing; a finished fold is left as it is."""
        for fold in range(self.folds):
            for member in range(self.members):
                own = {"fold": fold, "member": member, "seed": self.seed + SEED_STRIDE * member}
                run_workflow([self.workflow], run_id="single", overrides={**self.settings, **own})
