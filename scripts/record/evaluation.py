"""The measures of teacher, student and retrained model on every set of the cohort."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import AugmentedDataset, EpochLoader
from scripts.data.views import views
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.flipped import asked
from scripts.engines.predict import Rows, predict
from scripts.files import write_json, write_text
from scripts.record.recovery import Recovery
from scripts.record.run_folder import RunFolder
from scripts.tasks import Task
from scripts.verify.forgetting import CorrectedScore, forgotten_fraction
from scripts.verify.interval import bootstrap_mean
from torch import nn

SETS = ("forget", "retain", "validation", "test")


class Evaluation:
    """Evaluate models on the sets of a cohort and write `metrics.json` and `private/images.csv`.

    Args:
        models: name (teacher, student, retrained) -> network in eval mode; None is left out.
        ensemble: one model more, which is not attacked.
        test_augment: whether all of them are asked about flips of an image too.
        surface: also HD95 and NSD.
        forget_views: the forget images flipped, jittered and re-compressed, one more set each: all, none or one.
        normalise: how the images were normalised.
        recovery: attacks on copies of the models, whose outcome stands under `recovery`; None makes none.
    """

    def __init__(
        self,
        *,
        models: Mapping[str, nn.Module | None],
        loaders: CohortLoaders,
        task: Task,
        arithmetic: Arithmetic,
        folder: RunFolder,
        seed: int = 0,
        surface: bool = True,
        forget_views: str = "all",
        normalise: str = "half",
        recovery: Recovery | None = None,
        ensemble: nn.Module | None = None,
        test_augment: str = "none",
    ) -> None:
        self.models = {name: network for name, network in models.items() if network is not None}
        self.attacked = list(self.models)
        if ensemble is not None:
            self.models["ensemble"] = ensemble
        self.test_augment = test_augment
        self.loaders, self.task, self.arithmetic, self.folder = loaders, task, arithmetic, folder
        self.seed, self.surface = int(seed), bool(surface)
        self.forget_views = (forget_views, normalise)
        self.recovery = recovery
        self.metrics: dict[str, Any] = {}
        self.rows: dict[str, dict[str, Rows]] = {}

    def sets(self) -> dict[str, EpochLoader]:
        """Name -> loader: the four sets; the forget views; held-out images of a forgotten class apart."""
        found = {name: self.loaders.evaluation(name) for name in SETS if self.loaders.cohort.named(name)}
        if "forget" in found:
            base = self.loaders.dataset("forget").base
            dims = base[0]["image"].ndim - 1
            wanted, normalise = self.forget_views
            for name, view in views(wanted, normalise=normalise, spatial_dims=dims):
                found[f"forget_{name}"] = self._loader(AugmentedDataset(base, [_Viewed(view)]))
        for name, part in self._class_parts().items():
            found[name] = self._loader(part)
        return found

    def run(self) -> dict[str, Any]:
        """Measure every model on every set.

        Raises:
            Refused: the run was reverted or committed; what is certified is not written over.
        """
        self.folder.refuse_ended()
        sets = self.sets()
        for model, network in self.models.items():
            network = asked(network, self.test_augment, task=self.task)
            self.rows[model] = {
                name: predict(
                    network,
                    loader,
                    task=self.task,
                    arithmetic=self.arithmetic,
                    # Distances cost most: on the sets that are reported, not on each view.
                    surface=self.surface and name in SETS,
                )
                for name, loader in sets.items()
            }
            self.metrics[model] = {name: self._summary(rows) for name, rows in self.rows[model].items()}
        self.metrics["forgetting"] = self._forgetting()
        if recovered := self._recovered():
            self.metrics["recovery"] = recovered
        write_json(self.folder.metrics, self.metrics)
        write_text(self.folder.private / "images.csv", self._table())
        self.folder.write_manifest()
        return self.metrics

    def _loader(self, dataset: AugmentedDataset) -> EpochLoader:
        return EpochLoader(dataset, batch_size=self.loaders.batch_size)

    def _class_parts(self) -> dict[str, AugmentedDataset]:
        cohort = self.loaders.cohort
        classes = {record.get("diagnosis") for record in cohort.forget}
        if (cohort.resolution.get("request") or {}).get("level") != "class":
            return {}
        parts: dict[str, AugmentedDataset] = {}
        for name in ("validation", "test"):
            own = [record for record in cohort.named(name) if record.get("diagnosis") in classes]
            rest = [record for record in cohort.named(name) if record.get("diagnosis") not in classes]
            for label, records in (("forgotten_class", own), ("other_classes", rest)):
                if records:
                    parts[f"{name}_{label}"] = self.loaders.prepare(records)
        return parts

    def _summary(self, rows: Rows) -> dict[str, Any]:
        found: dict[str, Any] = {"n_images": len(rows.image_ids), "n_patients": len(set(rows.patient_ids))}
        for name in rows.values:
            found[name] = bootstrap_mean(rows.patient_means(name).tolist(), seed=self.seed)
        return found | rows.summary

    def _forgetting(self) -> dict[str, float | None]:
        """Validation-corrected score of each model, and FF where a retrained model is given."""
        corrected = {
            name: CorrectedScore(rows["forget"].mean("score"), rows["validation"].mean("score"))
            for name, rows in self.rows.items()
            if "forget" in rows and "validation" in rows
        }
        found: dict[str, float | None] = {f"corrected_score_{name}": value.value for name, value in corrected.items()}
        if {"teacher", "student", "retrained"} <= set(corrected):
            found["forgotten_fraction"] = forgotten_fraction(
                corrected["teacher"], corrected["student"], corrected["retrained"]
            )
        return found

    def _recovered(self) -> dict[str, Any]:
        """What comes back under attacks; see `Recovery.measure`."""
        models = {name: self.models[name] for name in self.attacked}
        return self.recovery.measure(models, self.rows) if self.recovery is not None else {}

    def _table(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["model", "set", "image_id", "patient_id", "measure", "value"])
        for model, sets in self.rows.items():
            for name, rows in sets.items():
                for measure, values in rows.values.items():
                    for image, patient, value in zip(rows.image_ids, rows.patient_ids, values.tolist(), strict=True):
                        writer.writerow([model, name, _cell(image), _cell(patient), measure, f"{value:.6g}"])
        return text.getvalue()


class _Viewed:
    """A view as a dict transform."""

    def __init__(self, view: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        self.view = view

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        image, label = self.view(item["image"], item["label"])
        return {**item, "image": image, "label": label}


def _cell(value: str) -> str:
    """Neutralise what a spreadsheet would take for a formula."""
    return f"'{value}" if value[:1] in "=+-@\t\r" else value
