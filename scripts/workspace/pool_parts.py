"""Models of the pool, as jobs, and what they say of the selection set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.workspace.method_parts import MethodParts

if TYPE_CHECKING:
    from scripts.cohort import Cohort
    from scripts.comparison.contender import Contender
    from scripts.methods.method import Method
    from scripts.pool.candidates import Candidate
    from scripts.references.pairs import Pairs
    from scripts.settings.given import Settings


class PoolParts(MethodParts):
    """What preparation and references make."""

    @cached_property
    def reference_models(self) -> Pairs:
        """The models of the pool of this request, as jobs."""
        from scripts.record.phase import made_by

        return self.pairs(made_by(self.folder))

    def pairs(self, making: Mapping[str, Mapping[str, Any]], *, settings: Settings | None = None) -> Pairs:
        """Models of the reference pool, as jobs.

        Args:
            making: phase that makes a student -> settings that the config leaves open.
            settings: of the workflow, where they are not those of this one.
        """
        from scripts.references.pairs import Pairs

        return Pairs(
            config_dir=Path(self.settings.bundle_root) / "configs",
            folder=self.settings.reference_dir,
            settings=self.settings if settings is None else settings,
            contents=self.contents,
            fold_dir=self.fold_dir,
            teacher=self.teacher_path,
            split_dir=self.split_path.parent,
            first_seed=self.settings.reference_seed,
            making=making,
        )

    def candidate_pairs(self, candidate: Candidate | None) -> Pairs:
        """The jobs that answer a mock request by a candidate's recipe; without one, those of no student."""
        if candidate is None:
            return self.pairs({})
        return self._answering(self.candidate_method(candidate))

    def candidate_method(self, candidate: Candidate) -> Method:
        """The method of a candidate with its recipe."""
        from scripts.methods.registry import build_method

        return build_method(candidate.method, self._mock_settings, calibrated=candidate.settings)

    def contender_pairs(self, contender: Contender | None) -> Pairs:
        """The jobs by which a contender of a comparison answers the request; without one, those of no student."""
        from scripts.errors import InputError
        from scripts.methods.recipe import OWN, SETTINGS
        from scripts.methods.registry import build_method, method_class

        if self.settings.goal != "unlearn":
            raise InputError(
                f"goal: {self.settings.goal}: methods are held against retrained models, which are no measure of it;"
                " give goal: unlearn"
            )
        if contender is None:
            return self.pairs({})
        asked = {**self._mock_settings, **contender.settings}
        others = [name for name in OWN if name not in method_class(contender.method).own]
        given = {name: value for name, value in self.settings.given.items() if name in SETTINGS and name not in others}
        # What was found for the method's usual form says nothing of another one.
        recipes = None if contender.settings else self.recipes
        found = recipes.settings.get(contender.method) if recipes is not None else None
        method = build_method(contender.method, asked | given, calibrated=found)
        own = {**method.as_settings(), **contender.settings}
        making = {phase: own if phase == "forget" else {} for phase in method.phases}
        return self.pairs(making, settings=self.settings.without([*others, "method"]))

    @property
    def tuning_seconds(self) -> dict[str, float]:
        """Method -> CPU seconds that finding its settings took, for this teacher."""
        known = {} if self.recipes is None else self.recipes.tuning
        return {name: cost["cpu_seconds"] for name, cost in known.items()}

    def answering_pairs(self, cohort: Cohort) -> Pairs:
        """The jobs that answer the mock request of a cohort as `method: auto` answers a request like it."""
        from scripts.methods.choice import AUTO, choose
        from scripts.methods.recipe_file import RecipeFile

        settings, pool = {**self._mock_settings, "method": AUTO}, Path(self.fold_dir)
        return self._answering(choose(settings, cohort=cohort, recipes=RecipeFile.read(pool), pool=pool).method)

    @property
    def foreign_epochs(self) -> int | None:
        """Epochs of the foreign bundle's own training; None where trainings are ours."""
        if self.foreign is None:
            return None
        return self.settings.given.get("foreign_epochs") or int(self.foreign.part("train::trainer::max_epochs"))

    @property
    def _mock_settings(self) -> dict[str, Any]:
        """Of the requests for which preparation finds recipes."""
        asked = {"goal": "unlearn", "schedule": "joint", "reference": "fold", "exact": False}
        return {**asked, "task": self.settings.task}

    def _answering(self, method: Method) -> Pairs:
        # Every setting is given, so that a recipe that is there already has no part in the trial of another one.
        own = method.as_settings()
        return self.pairs({phase: own if phase == "forget" else {} for phase in method.phases})

    def resolve(self, workflow: str, values: Mapping[str, Any]) -> Cohort:
        """The cohort that a workflow would have with these settings; no image is opened, nothing is written.

        Raises:
            InputError, Refused: as the workflow would.
        """
        from scripts.settings.config_file import is_expression, read_config
        from scripts.settings.workflows import WORKFLOWS
        from scripts.workspace.workspace import Workspace, settings_of

        # In a bundle that was built for a data set its workflow files have defaults of their own.
        written = read_config(Path(self.settings.bundle_root) / "configs" / f"{workflow}.yaml")
        plain = {name: value for name, value in written.items() if not is_expression(value)}
        own = {name: value for name, value in {**plain, **values}.items() if name in WORKFLOWS[workflow].names}
        return Workspace(workflow=workflow, settings=settings_of(own, workflow)).cohort

    def write_answers(self) -> None:
        """Measure teacher, folds and their members on the selection set, where that is not known."""
        from scripts.engines.reference import member_paths

        folds = [tuple(member_paths(self.fold_dir, fold)) for fold in range(self.folds)]
        wanted = [(self.teacher_path,), *folds, *((path,) for members in folds for path in members)]
        missing = [models for models in dict.fromkeys(wanted) if self.answers.score(models) is None]
        if missing:
            self.answers.add({models: self.selection_score(models) for models in missing})
