"""Data, cohort, network and models of a run, made lazily from its settings."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from scripts import errors
from scripts.settings.given import Settings, read_settings, resolved
from scripts.settings.running import running
from scripts.workspace.shared import shared

if TYPE_CHECKING:
    from scripts.cohort import Cohort
    from scripts.cohort.loaders import CohortLoaders
    from scripts.data.source import DataSource
    from scripts.engines.arithmetic import Arithmetic
    from scripts.engines.criterion import Criterion
    from scripts.engines.recipe import Recipe
    from scripts.engines.reference import FoldReference
    from scripts.objectives.base import ForgetObjective, RetainObjective
    from scripts.processes import Processes
    from scripts.record.run_folder import RunFolder
    from scripts.tasks import Task

DATA = (
    "dataset_name dataset_dir datalist task observer phantom_seed phantom_patients download spatial_dims in_channels"
).split()
SPLIT = "split_seed validation_share test_share guard_share folds".split()
REQUEST = "request forget_ratio goal reference tombstones key_dir trust_unrecorded".split()
MODELS = "model_dir model_name fold_dir split_dir as_model".split()
NETWORK = "network_name spatial_dims in_channels out_channels".split()


class Parts:
    """What the workflows have in common, each part made when it is first asked for.

    Args:
        workflow: name of the workflow, a key of `WORKFLOWS`.
        settings: its settings; None reads them from the config that is being evaluated.

    Raises:
        InputError: a setting is unknown, has another type or is out of range.
    """

    def __init__(self, *, workflow: str, settings: Settings | None = None) -> None:
        self.workflow = workflow
        self._network_block: Any = None
        if settings is None:
            run = running()
            if run.by_command_line:
                errors.install()
                # ignite and MONAI log an exception before it reaches the hook; the operator reads one line.
                for name in ("ignite", "monai"):
                    logging.getLogger(name).setLevel(logging.CRITICAL)
            settings = read_settings(run, workflow)
            if settings.blocks:
                self._network_block = resolved(run, "network_def")
        self.settings = settings

    # -- beginning and end of a command

    @cached_property
    def processes(self) -> Processes:
        """The processes that torchrun started; one alone otherwise."""
        from scripts.processes import Processes

        return Processes(distributed=self._get("distributed", False), device=self.settings.device)

    def begin(self) -> None:
        """First step of a workflow: the other processes are joined, and what cannot go on is refused."""
        if "device" in self.settings:
            self.processes.join()
        if "image_size" in self.settings and self._network_block is None:
            from scripts.tasks.networks import check_fit

            source = self.source if "dataset_name" in self.settings else None
            batch = self._get("batch_size", None) if self.workflow == "train" else None
            check_fit(**self._some([*NETWORK, "image_size"]), batch_size=batch, source=source)
        if self.workflow.startswith("inference"):
            self._warn_of_other_settings()

    def end(self) -> None:
        """Last step of a workflow: the other processes are left."""
        if "device" in self.settings:
            self.processes.leave()

    def _warn_of_other_settings(self) -> None:
        """Say which settings of inference are not those that the weights were trained with."""
        from scripts.cohort.provenance import unlike_training

        for name, before, now in unlike_training(self.settings.checkpoint, self.settings):
            print(f"warning: {name}: {now!r}, but {self.settings.checkpoint} was trained with {before!r}", flush=True)

    # -- data

    @cached_property
    def source(self) -> DataSource:
        """The data set; of what was forgotten before it looks at no file."""
        from scripts.data import build_source

        options = self._some(DATA)
        about = options | self._some(["tombstones", "key_dir"])
        options["channels"] = options.pop("in_channels")
        options["gone"] = self._gone
        return shared("source", about, lambda: build_source(options.pop("dataset_name"), **options))

    @cached_property
    def cohort(self) -> Cohort:
        """The sets of patients, and what the request asks to forget."""
        from scripts.cohort.build import build_cohort

        about = self._some([*DATA, *SPLIT, *REQUEST, *MODELS])
        train = self.workflow == "train"
        own = {
            "request": self._get("request", ""),
            "forget_ratio": self._get("forget_ratio", 0.0),
            "needs_forget": not train,
            "seed": self.settings.split_seed,
            **self._some(["validation_share", "test_share", "guard_share", "folds", "goal"]),
            "split_path": self.split_path,
            "model": (self.settings.as_model or None) if train else self.teacher_path,
            "trust_unrecorded": self._get("trust_unrecorded", False),
            "reference": "fold" if self.asks_reference else "none",
            "gone_images": self._gone,
        }
        return shared("cohort", about, lambda: build_cohort(self.source, **own))

    @cached_property
    def preprocessing(self) -> Any:
        """File to prepared tensors, the same for every use of a model."""
        from scripts.data.transforms import preprocessing

        return preprocessing(self.source, image_size=self.settings.image_size, normalise=self.settings.normalise)

    def augmentation(self, name: str) -> Any:
        """Random transforms by their name."""
        from scripts.data.transforms import augmentation

        return augmentation(
            name,
            spatial_dims=self.settings.spatial_dims,
            masks=self.settings.task == "segmentation",
            normalise=self.settings.normalise,
        )

    @cached_property
    def loaders(self) -> CohortLoaders:
        """The sets as loaders, with the random transforms of this phase."""
        from scripts.cohort.loaders import CohortLoaders

        about = [self._some([*DATA, *SPLIT, *REQUEST, *MODELS, "image_size", "normalise", "cache", "output_dir"])]
        retain_images = self.recipe.retain_images if self.workflow == "forget" else self._get("retain_images", None)
        return CohortLoaders(
            cohort=self.cohort,
            transform=self.preprocessing,
            augment=self.augmentation(self._get(f"{self.workflow}_augment", "none")),
            batch_size=self.settings.eval_batch_size,
            cache=self.settings.cache,
            cache_dir=self.folder.cache,
            seed=self._get("seed", 0),
            views=self._get("cached_views", 0),
            retain_images=retain_images,
            retain_choice=self._get("retain_choice", "random"),
            prepared=shared("prepared", about, dict),
        )

    # -- network and models

    @property
    def sample(self) -> Any:
        """One prepared forget image on the device, as a batch of one."""
        return self.loaders.sample("forget").to(self.arithmetic.device)

    @property
    def blank(self) -> Any:
        """An empty image of the network's usual size, as a batch of one."""
        import torch

        size, dims = self.settings.image_size, self.settings.spatial_dims
        lengths = [size] * dims if isinstance(size, int) else size
        return torch.zeros(1, self.settings.in_channels, *lengths)

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """Device, precision and memory format."""
        from scripts.engines.arithmetic import Arithmetic

        names = ("device", "amp", "channels_last", "threads")
        return Arithmetic(
            **{name: self._get(name, default) for name, default in zip(names, ("auto", False, False, 0), strict=True)}
        )

    @cached_property
    def task(self) -> Task:
        """What the network answers, and how that is scored."""
        from scripts.tasks import build_task

        return build_task(self.settings.task)

    @cached_property
    def network_def(self) -> nn.Module:
        """The untrained network: the block of the config where one is given, else by its name."""
        from scripts.tasks import build_network

        if self._network_block is not None:
            return self._network_block
        options = self._some(NETWORK) | {"seed": self._get("seed", None) if self.workflow == "train" else None}
        return shared("network", options, lambda: build_network(name=options.pop("network_name"), **options))

    @cached_property
    def teacher_path(self) -> Path:
        """File of the teacher."""
        from scripts.engines.models import model_path

        return model_path(model_dir=self.settings.model_dir, model_name=self.settings.model_name)

    @cached_property
    def model_path(self) -> Path:
        """File of the model that is trained: the teacher, or a fold teacher."""
        from scripts.engines.models import model_path

        return model_path(**self._some(["model_dir", "model_name", "fold", "member"]))

    @cached_property
    def split_path(self) -> Path:
        """File of the recorded split."""
        from scripts.cohort.split_file import FILE_NAME

        return Path(self._get("split_dir", "") or self.settings.model_dir) / FILE_NAME

    @property
    def fold_dir(self) -> str:
        """Folder of the fold teachers."""
        return self._get("fold_dir", "") or self.settings.model_dir

    @cached_property
    def teacher(self) -> nn.Module:
        """The teacher, frozen, on the device; refused where its record does not fit.

        A workflow that asks for no data, such as revert, cannot compare that: the adapter says whose it is.
        """
        from scripts.cohort.provenance import check_provenance, check_settings
        from scripts.engines.models import place_teacher

        path = self.teacher_path
        if "split_seed" in self.settings:
            check_provenance(path, self.cohort, trust_unrecorded=self._get("trust_unrecorded", False))
        check_settings(path, self.settings)
        about = [str(path), self._some([*NETWORK, "device", "channels_last"]), self.settings.blocks]
        return shared(
            "teacher", about, lambda: place_teacher(network=self.network_def, path=path, arithmetic=self.arithmetic)
        )

    def model(self, path: str | Path) -> nn.Module | None:
        """Other weights of the same network, frozen, on the device; None where `path` is empty."""
        from scripts.engines.models import place_optional

        return place_optional(network=self.network_def, path=path, arithmetic=self.arithmetic)

    @cached_property
    def recipe(self) -> Recipe:
        """The settings of forgetting with those that goal, schedule and task leave open filled in."""
        from scripts.engines.recipe import recipe_of

        return recipe_of(self.settings)

    @cached_property
    def reference(self) -> FoldReference | None:
        """What models that never saw a forget patient predict; None where no objective asks for it."""
        from scripts.engines.reference import load_fold_reference

        return load_fold_reference(
            cohort=self.cohort,
            network=self.network_def,
            teacher=self.teacher,
            model_dir=self.fold_dir,
            selection=self.loaders.evaluation("selection"),
            task=self.task,
            arithmetic=self.arithmetic,
            wanted=self.needs_reference,
            trust_unrecorded=self.settings.trust_unrecorded,
        )

    @property
    def needs_reference(self) -> bool:
        """Whether the fold teachers are asked in this phase."""
        return self.recipe.needs_reference if self.workflow == "forget" else self.asks_reference

    @property
    def asks_reference(self) -> bool:
        """Whether the settings ask for fold teachers, as far as goal and reference say."""
        return self._get("goal", "") == "unlearn" and self._get("reference", "none") == "fold"

    @cached_property
    def forget_objective(self) -> ForgetObjective:
        """The loss on forget images."""
        from scripts.objectives.registry import build_forget_objective

        bound = self.settings.suppress_bound - self.settings.suppress_slack
        return build_forget_objective(name=self.recipe.forget_objective, task=self.settings.task, bound=bound)

    @cached_property
    def retain_objective(self) -> RetainObjective:
        """The loss on retain and guard images."""
        from scripts.objectives.registry import build_retain_objective

        recipe = self.recipe
        return build_retain_objective(
            name=recipe.retain_objective, task=self.settings.task, supervised_weight=recipe.supervised_weight
        )

    @cached_property
    def criterion(self) -> Criterion:
        """How far a student is on its way from the teacher to the goal."""
        from scripts.engines.criterion import build_criterion

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

    # -- what the folder and the run of a workflow have to offer; see Workspace

    @property
    def folder(self) -> RunFolder:
        """The folder of the run."""
        raise NotImplementedError

    # -- helpers

    def _gone(self, records: Any) -> frozenset[str]:
        """Ids of those images that were forgotten before."""
        from scripts.record.tombstones import gone_images

        return gone_images(records, **self._some(["tombstones", "key_dir"]))

    def _get(self, name: str, default: Any) -> Any:
        return self.settings.get(name, default)

    def _some(self, names: Any) -> dict[str, Any]:
        """Those of the settings that this workflow has."""
        return {name: self.settings[name] for name in names if name in self.settings}
