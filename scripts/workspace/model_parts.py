"""Network and models of a run, made lazily from its settings."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.cohort.provenance import AS_TRAINED
from scripts.workspace.data_parts import DataParts
from scripts.workspace.shared import shared
from torch import nn

if TYPE_CHECKING:
    from scripts.data.source import DataSource
    from scripts.engines.arithmetic import Arithmetic
    from scripts.tasks import Task

NETWORK = "network_name spatial_dims in_channels out_channels".split()
ADOPTING = ("prepare", "forget", "evaluate", "references", "renew", "tune", "compare")  # they begin with a teacher


class ModelParts(DataParts):
    """What the workflows have in common, each part made when it is first asked for."""

    # -- beginning and end of a command

    def begin(self) -> None:
        """First step of a workflow: the other processes are joined, and what cannot go on is refused."""
        if "device" in self.settings:
            self.processes.join()
        # A verdict by references needs no data.
        looks = "image_size" in self.settings and self.workflow != "verify"
        if self.foreign is None and looks and self._network_block is None:
            from scripts.tasks.networks import check_fit

            source = self._source_at_hand()
            batch = self._get("batch_size", None) if self.workflow == "train" else None
            name = "patch_size" if self._get("patch_size", None) else "image_size"
            own = self._some(NETWORK)
            check_fit(**own, image_size=self.trained_size, size_name=name, batch_size=batch, source=source)
        own = self._network_block if self.foreign is None else self.network_def
        if looks and own is not None and (source := self._source_at_hand()) is not None:
            from scripts.tasks.network_block import check_block

            training = self.workflow == "train"
            # BatchNorm in training needs two values a channel.
            images = min(self.settings.batch_size, 2) if training and self.foreign is None else 1
            sample = self.blank.expand(images, *self.blank.shape[1:])
            check_block(own, sample, source=source, training=training and self.foreign is None)
        if self.foreign is not None and self.workflow in ADOPTING:
            self._adopt()
        if self.workflow.startswith("inference"):
            self._warn_of_other_settings()

    def _source_at_hand(self) -> DataSource | None:
        """The data set; None where there is none, or where a program has not said where it lies.

        `monai.bundle.load` asks a workflow for its network alone. Whatever looks at data says what is missing.
        """
        from scripts.data.source import NoFolder

        if "dataset_name" not in self.settings:
            return None
        try:
            return self.source
        except NoFolder:
            if self.by_command_line:
                raise
            return None

    def _adopt(self) -> None:
        """Take over what the foreign bundle delivers, where nothing was taken over or trained yet."""
        from scripts import processes

        if not self.teacher_path.is_file():
            processes.once(self._take_over)

    def _take_over(self) -> None:
        from scripts.cohort.build import build_cohort
        from scripts.foreign.fold_models import adopt_fold_models, folds_of, read_fold_lists, with_given_folds
        from scripts.foreign.teacher import adopt

        bundle, models = self.foreign, self._get("fold_models", "")
        assert bundle is not None
        shares = self._some(["validation_share", "test_share", "guard_share", "folds"])
        own: dict[str, Any] = {"seed": self.settings.split_seed, "split_path": self.split_path, **shares}
        cohort = build_cohort(self.source, **own)
        settings = self._some(AS_TRAINED)
        if models:
            lists = read_fold_lists(self.settings.fold_lists)
            folds = folds_of(cohort.training(), lists, where=self.settings.fold_lists)
            assert cohort.recorded is not None
            cohort = replace(cohort, recorded=with_given_folds(cohort.recorded, folds, count=len(lists)), folds=folds)
            cohort.resolution["settings"]["folds"] = len(lists)
            paths = [models] if isinstance(models, str) else list(models)
            network = bundle.network()
            adopt_fold_models(paths, cohort=cohort, network=network, folder=self.fold_dir, settings=settings)
        adopt(
            bundle,
            cohort=cohort,
            network=bundle.network(),
            path=self.teacher_path,
            split_path=self.split_path,
            settings=settings,
        )

    def end(self) -> None:
        """Last step of a workflow: the other processes are left."""
        if "device" in self.settings:
            self.processes.leave()

    def _warn_of_other_settings(self) -> None:
        """Say which settings of inference are not those that the weights were trained with.

        Raises:
            InputError: the weights were trained for a task whose answers inference does not write.
        """
        from scripts.cohort.model_record import ModelRecord
        from scripts.cohort.provenance import unlike_training
        from scripts.errors import InputError
        from scripts.tasks import build_task

        record = ModelRecord.read(self.settings.checkpoint)
        if record is not None and "task" in record.training and build_task(record.training["task"]).graded:
            raise InputError(
                f"{self.settings.checkpoint}: was trained for task: {record.training['task']}, and infer writes masks"
                " and classes; run evaluate for its figures"
            )
        for name, before, now in unlike_training(self.settings.checkpoint, self.settings):
            print(f"warning: {name}: {now!r}, but {self.settings.checkpoint} was trained with {before!r}", flush=True)

    # -- network and models

    @property
    def trained_size(self) -> int | list[int]:
        """Pixels along every axis, or along each, of what the network is trained on: patches, or whole images."""
        if self.foreign is not None:
            return list(self.preparation.size)
        return self._get("patch_size", None) or self.settings.image_size

    @property
    def blank(self) -> Any:
        """An empty image of the size that the network is trained on, as a batch of one."""
        import torch

        size, dims = self.trained_size, self.settings.spatial_dims
        lengths = [size] * dims if isinstance(size, int) else size
        return torch.zeros(1, self.settings.in_channels, *lengths)

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """Device, precision and memory format."""
        from scripts.engines.arithmetic import Arithmetic

        names = ("device", "amp", "channels_last", "threads")
        given = {name: self._get(name, default) for name, default in zip(names, ("auto", False, False, 0), strict=True)}
        if "dataset_name" not in self.settings:
            return Arithmetic(**given)
        return Arithmetic(**given, inferer=self.preparation.inferer, patch=self.preparation.patch)

    @cached_property
    def task(self) -> Task:
        """What the network answers, and how that is scored."""
        from scripts.tasks import build_task

        return build_task(self.settings.task)

    @cached_property
    def network_def(self) -> nn.Module:
        """The untrained network: the block of the config where one is given, else by its name."""
        from scripts.tasks import build_network

        if self.foreign is not None:
            return shared("network", [self.foreign.folder.digest], self.foreign.network)
        if self._network_block is not None:
            return self._network_block
        options = self._some(NETWORK) | {"seed": self._get("seed", None) if self.workflow == "train" else None}
        return shared("network", options, lambda: build_network(name=options.pop("network_name"), **options))

    @cached_property
    def teacher(self) -> nn.Module:
        """The teacher, frozen, on the device; refused where its record does not fit.

        A workflow that asks for no data, such as revert, cannot compare that: the adapter says whose it is.
        """
        from scripts.cohort.provenance import check_provenance, check_settings
        from scripts.engines.models import place_teacher

        path = self.teacher_path
        if "split_seed" in self.settings:
            trust = self._get("trust_unrecorded", False)
            check_provenance(path, self.cohort, trust_unrecorded=trust, fold=self.renewed_fold)
        check_settings(path, self.settings)
        network = self._some([*NETWORK, "device", "channels_last", "trust_foreign"])
        about = [str(path), network, self.settings.blocks]
        return shared(
            "teacher", about, lambda: place_teacher(network=self.network_def, path=path, arithmetic=self.arithmetic)
        )

    def model(self, path: str | Path) -> nn.Module | None:
        """Other weights of the same network, frozen, on the device; None where `path` is empty."""
        from scripts.engines.models import place_optional

        return place_optional(network=self.network_def, path=path, arithmetic=self.arithmetic)
