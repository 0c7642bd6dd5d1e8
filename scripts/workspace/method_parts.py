"""How a run forgets: its method and recipe, the student, what the method looks at, and its losses."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.cohort.cohort import NO_FOLD
from scripts.workspace.content_parts import ContentParts
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts.cohort.cohort import Record
    from scripts.data.alternating import AlternatingLoader
    from scripts.data.joint import JointLoader
    from scripts.engines.answers import PoolAnswers
    from scripts.engines.criterion import Criterion
    from scripts.engines.hardening import Hardening
    from scripts.engines.reference import FoldReference
    from scripts.methods.choice import Choice
    from scripts.methods.method import Context, Method, Target
    from scripts.methods.recipe import Recipe
    from scripts.methods.recipe_file import RecipeFile
    from scripts.objectives.base import ForgetObjective, RetainObjective
    from scripts.student.student import Student


# By these the images are read and run: another value gives other scores.
READING = (
    "trust_foreign image_size patch_size patch_overlap normalise spatial_dims in_channels task network_name amp"
    " channels_last eval_batch_size undersampling acceleration center_fraction"
).split()


class MethodParts(ContentParts):
    """The method of forgetting and what follows from it."""

    @cached_property
    def choice(self) -> Choice:
        """Which method forgets, and why that one."""
        from scripts.methods.choice import AUTO, choose
        from scripts.methods.recipe import leaves_open

        recipes = self.recipes if self.settings.method == AUTO or leaves_open(self.settings) else None
        return choose(self.settings, cohort=self.cohort, recipes=recipes, pool=Path(self.fold_dir))

    @cached_property
    def recipes(self) -> RecipeFile | None:
        """What preparation and tuning found for this teacher, or for what it descends from."""
        from scripts.methods.recipe_file import RecipeFile

        return RecipeFile.of_teacher(Path(self.fold_dir), teacher=self.teacher_path, ancestors=self.ancestors)

    @cached_property
    def ancestors(self) -> tuple[str, ...]:
        """Digests of the models that the teacher descends from, by the lineage beside it; empty where it begins one."""
        from scripts.identity import file_digest
        from scripts.record.lineage import FILE_NAME, Lineage

        lineage = Lineage.read(self.teacher_path.parent / FILE_NAME)
        own = self.teacher_path.is_file() and lineage.model == file_digest(self.teacher_path)
        return tuple(str(line["model"]) for line in lineage.lines[:-1]) if own else ()

    @cached_property
    def method(self) -> Method:
        """The method with its recipe; a request that it cannot serve is refused."""
        method = self.choice.method
        method.check(self.cohort)
        return method

    @property
    def recipe(self) -> Recipe:
        """The settings of forgetting with those that are open in the config filled in."""
        return self.method.recipe

    @cached_property
    def looked_at(self) -> tuple[Record, ...]:
        """The forget records whose images this phase opens."""
        return self.method.looked_at(self.cohort) if self.workflow == "forget" else self.cohort.forget

    @property
    def needs_reference(self) -> bool:
        """Whether the fold teachers are asked what they predict in this phase."""
        if self.workflow == "forget":
            return self.recipe.needs_reference and bool(self.looked_at) and not self.method.own_target
        return self.asks_reference

    @property
    def uses_pool(self) -> bool:
        """Whether this phase's result follows from the fold teachers."""
        return self.needs_reference or (self.workflow == "forget" and "pool" in self.method.needs)

    @cached_property
    def context(self) -> Context:
        """What the method may start from."""
        from scripts.methods.method import Context

        return Context(
            teacher=self.teacher,
            member=self._member,
            retrained=self._retrained_weights,
            cohort=self.cohort,
            loaders=self.loaders,
            task=self.task,
            arithmetic=self.arithmetic,
            sample=self.blank.to(self.arithmetic.device),
            seed=self.settings.seed,
        )

    def make_student(self) -> Student:
        """The student before its first step, on the device."""
        return self.method.student(self.context)

    def _member(self, fold: int) -> nn.Module:
        """The member of a fold that does best on the selection set, after checking that none saw its patients."""
        from scripts.cohort.provenance import check_fold_teacher
        from scripts.engines.models import place_teacher
        from scripts.engines.reference import member_paths

        paths = member_paths(self.fold_dir, fold)
        own = [record for record in self.cohort.forget if self.cohort.fold_of(record) == fold]
        for path in paths:
            check_fold_teacher(path, self.cohort, own, trust_unrecorded=self.settings.trust_unrecorded)
        best = paths[0] if len(paths) == 1 else max(paths, key=lambda path: self.selection_score([path]))
        return place_teacher(network=self.network_def, path=best, arithmetic=self.arithmetic)

    def _retrained_weights(self) -> Path:
        """Train a network as the teacher was, without what is to be forgotten, in the private folder of the run.

        Raises:
            InputError: the teacher's record does not say how it was trained.
        """
        from scripts.chain import run_workflow
        from scripts.cohort.model_record import ModelRecord
        from scripts.errors import InputError
        from scripts.record.lock import unlock_folder
        from scripts.settings import SETTINGS
        from scripts.settings.workflows import WORKFLOWS

        record = ModelRecord.read(self.teacher_path)
        if record is None or not record.training:
            raise InputError(
                f"method: '{self.method.name}' trains as the teacher was trained, and {self.teacher_path} has no record"
                " of that; train with this bundle, or give another method"
            )
        folder = self.folder.private / "retrained"
        known = WORKFLOWS["train"].names
        places = {name: value for name, value in self.settings.items() if name in known}
        own = places | {name: value for name, value in record.training.items() if name in known}
        own |= {"model_dir": str(folder), "model_name": "model.pt", "output_dir": str(folder / "run")}
        own |= {"split_dir": str(self.split_path.parent), "as_model": str(self.teacher_path), "fold": -1, "member": 0}
        own |= {"seed": self.settings.seed, "overwrite": False}
        # Blocks and changed parts of its config.
        own |= {name: value for name, value in record.training.items() if name not in SETTINGS}
        path = Path(self.settings.bundle_root) / "configs" / "train.yaml"
        run_workflow([str(path)], run_id="single", overrides=own)
        # Its log and lock are not what this run writes, and would be left by a commit.
        unlock_folder(folder / "run" / "private")
        shutil.rmtree(folder / "run", ignore_errors=True)
        return folder / "model.pt"

    def selection_score(self, models: Sequence[Path]) -> float:
        """Mean score of the models' mean on the selection set, nats; looked up where preparation has measured it."""
        from scripts.engines.predict import predict
        from scripts.engines.reference import FoldMean

        known = self.answers.score(models)
        if known is not None:
            return known
        mean = FoldMean([self.model(path) for path in models], task=self.task)
        rows = predict(mean, self.loaders.evaluation("selection"), task=self.task, arithmetic=self.arithmetic)
        return rows.mean("score")

    @property
    def batches(self) -> JointLoader | AlternatingLoader:
        """What forgetting draws from."""
        return self.method.batches(self.loaders, self.looked_at)

    @property
    def optimizer(self) -> Callable[..., Any]:
        """The optimiser of the recipe, waiting for `params` and `lr`."""
        from scripts.engines.optimizers import optimizer_of

        return optimizer_of(self.recipe)

    def hardening(self, student: Student) -> Hardening | None:
        """Simulated relearning; None where the recipe leaves it out or no forget image is looked at."""
        from scripts.engines.hardening import Hardening

        if not self.recipe.hardening_weight or not self.looked_at:
            return None
        return Hardening(
            student=student,
            arithmetic=self.arithmetic,
            weight=self.recipe.hardening_weight,
            steps=self.recipe.hardening_steps,
            task=self.settings.task,
        )

    @cached_property
    def forget_objective(self) -> ForgetObjective:
        """The loss on forget images."""
        from scripts.objectives.registry import build_forget_objective

        bound = self.settings.suppress_bound - self.settings.suppress_slack
        own = {"bound": bound, "critical_classes": self.recipe.critical_classes or (), "seed": self.settings.seed}
        return build_forget_objective(
            name=self.recipe.forget_objective, task=self.settings.task, **own, **self.method.objective_settings
        )

    @cached_property
    def retain_objective(self) -> RetainObjective:
        """The loss on retain and guard images."""
        from scripts.objectives.registry import build_retain_objective

        return build_retain_objective(
            name=self.recipe.retain_objective,
            task=self.settings.task,
            **{"supervised_weight": self.recipe.supervised_weight, **self.method.objective_settings},
        )

    @cached_property
    def target(self) -> Target | None:
        """What the forget images are drawn towards; None where no objective asks for it."""
        if self.workflow == "forget" and self.method.own_target:
            return self.method.target(self.context)
        return self.reference

    @cached_property
    def reference(self) -> FoldReference | None:
        """What models that never saw a forget patient predict; None where no objective asks for it."""
        from scripts.engines.reference import load_fold_reference

        return load_fold_reference(
            cohort=self.cohort,
            records=self.looked_at,
            network=self.network_def,
            teacher=self.teacher,
            model_dir=self.fold_dir,
            selection=lambda: self.loaders.evaluation("selection"),
            task=self.task,
            arithmetic=self.arithmetic,
            wanted=self.needs_reference,
            known=self._known_scores() if self.needs_reference else {},
            trust_unrecorded=self.settings.trust_unrecorded,
        )

    def _known_scores(self) -> dict[int, tuple[float, float]]:
        """Fold -> mean scores of the teacher and of the fold's members on the selection set, where both are known."""
        from scripts.engines.reference import member_paths

        found = {}
        for fold in sorted({self.cohort.fold_of(record) for record in self.looked_at} - {NO_FOLD}):
            scores = self.answers.score([self.teacher_path]), self.answers.score(member_paths(self.fold_dir, fold))
            if scores[0] is not None and scores[1] is not None:
                found[fold] = scores[0], scores[1]
        return found

    @property
    def retrained(self) -> nn.Module | None:
        """The retrained model that evaluation compares with, after checking that it saw nobody of the forget set."""
        from scripts.cohort.provenance import check_fold_teacher

        path = self.settings.retrained_path
        if path and self.cohort.forget:
            check_fold_teacher(path, self.cohort, self.cohort.forget, trust_unrecorded=self.settings.trust_unrecorded)
        return self.model(path)

    @property
    def ensemble(self) -> nn.Module | None:
        """All fold teachers together, where they are asked for.

        Raises:
            InputError: there are no folds, or a fold has no teacher.
        """
        from scripts.engines.models import model_path, place_teacher
        from scripts.engines.reference import FoldMean, member_paths
        from scripts.errors import InputError

        if not self.settings.ensemble:
            return None
        folds = sorted(set(self.cohort.folds.values()))
        firsts = [model_path(model_dir=str(self.fold_dir), model_name="", fold=fold) for fold in folds]
        missing = [str(path) for path in firsts if not path.is_file()] if folds else ["this split has no folds"]
        if missing:
            found = ", ".join(missing)
            raise InputError(f"ensemble: true needs the teacher of every fold: {found}; make the pool (run prepare)")
        paths = [path for fold in folds for path in member_paths(self.fold_dir, fold)]
        placed = [place_teacher(network=self.network_def, path=path, arithmetic=self.arithmetic) for path in paths]
        return FoldMean(placed, task=self.task)

    @property
    def fold_teachers(self) -> dict[int, list[nn.Module]]:
        """Fold -> its members, for comparison under attack; empty where nothing is attacked or none fits the goal."""
        from scripts.engines.fold_teachers import load_fold_teachers

        if self.settings.goal != "unlearn" or not self.settings.attacks:
            return {}
        return load_fold_teachers(
            cohort=self.cohort,
            network=self.network_def,
            model_dir=self.fold_dir,
            arithmetic=self.arithmetic,
            trust_unrecorded=self.settings.trust_unrecorded,
        )

    @cached_property
    def criterion(self) -> Criterion | None:
        """How far a student is on its way from the teacher to the goal; None where forgetting goes by steps alone."""
        from scripts.engines.criterion import build_criterion

        if self.workflow == "forget" and not self.recipe.measured:
            return None
        return build_criterion(
            goal=self.settings.goal,
            bound=self.settings.suppress_bound,
            reference=self.reference,
            teacher=self.teacher,
            forget=self.loaders.evaluation("forget"),
            selection=self.loaders.evaluation("selection"),
            task=self.task,
            arithmetic=self.arithmetic,
        )

    @cached_property
    def answers(self) -> PoolAnswers:
        """Mean scores on the selection set that preparation wrote down."""
        from scripts.engines.answers import PoolAnswers

        return PoolAnswers(self.fold_dir, about=[self.contents["selection"], self._some(READING), self.settings.blocks])

    def noted(self) -> dict[str, Any]:
        """What the state of the run says of the method, so that later phases and references go by it."""
        # What a member unlearned is not gone from it by construction, nor from what is made of it.
        from scripts.cohort.model_record import ModelRecord
        from scripts.engines.reference import used_members

        records = (
            [ModelRecord.read(path) for path in used_members(self.cohort, self.fold_dir)] if self.uses_pool else []
        )
        renewed = sum(bool(record is not None and record.unlearned) for record in records)
        return {"method": self.method.name, "phases": list(self.method.phases), "unlearned_members": renewed}
