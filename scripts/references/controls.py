"""Models whose truth is constructed, by which the verifier itself is measured; on the phantom."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from scripts.cohort import Cohort
from scripts.files import write_text
from scripts.references.jobs import Job, Step, digest
from scripts.references.pairs import Pairs

OVER = -0.7  # the annotator's bias in the labels of the over-forgotten control

# What is to come out of each; ours is what is measured.
WANTED = {
    "true retrain": "PASS",
    "original": "no PASS",
    "half": "no PASS",
    "over": "no PASS",
    "background": "no PASS",
    "duplicated": "no PASS",
    "ours": "",
}


class Controls:
    """The jobs of every control, pair by pair.

    Args:
        pairs: of the pool.
        cohort: with the forget set.
        count: pairs of the study; controls that need models of their own take the seeds after theirs.
    """

    def __init__(self, *, pairs: Pairs, cohort: Cohort, count: int) -> None:
        self.pairs, self.cohort, self.count = pairs, cohort, int(count)

    def jobs(self) -> dict[str, Callable[[int], Job]]:
        """Control -> pair -> its job."""
        return {
            "true retrain": lambda pair: self.pairs.retrained(pair + self.count),
            "original": self.pairs.original,
            "half": self._half,
            "over": self._over,
            "background": self._background,
            # Under another id the images are the same: a model that was trained on everything, from another seed.
            "duplicated": lambda pair: self.pairs.original(pair + self.count),
            "ours": self.pairs.unlearned,
        }

    def _half(self, pair: int) -> Job:
        """Retrained without half of the patients."""
        patients = sorted({record["patient_id"] for record in self.cohort.forget})
        chosen = patients[: len(patients) // 2]
        return self._changed("half", pair, {"request": str(self._request("half", chosen))}, chosen)

    def _over(self, pair: int) -> Job:
        """Trained with the forget patients' labels drawn to the other side."""
        forget = {record["image_id"] for record in self.cohort.forget}
        records = [
            {**record, "label_shrink": OVER} if record["image_id"] in forget else record
            for record in self.cohort.training()
        ]
        return self._changed("over", pair, {"train::dataset::data": records}, sorted(forget))

    def _changed(self, kind: str, pair: int, changes: dict, what: list[str]) -> Job:
        """The original's training with something else to train on."""
        original = self.pairs.original(pair)
        key = digest([kind, original.key, what, OVER])
        folder = self.pairs.folder / kind / key[:16]
        (step,) = original.steps
        own = {**step.settings, **changes, "model_dir": str(folder), "output_dir": str(folder / "run")}
        return Job(kind, key, folder, folder / "model.pt", (Step(step.workflow, step.run_id, own),))

    def _background(self, pair: int) -> Job:
        """The original, pushed to all-background and scaled back until the mean score is that of held-out patients."""
        ours = self.pairs.unlearned(pair)
        key = digest(["background", ours.key])
        folder = self.pairs.folder / "background" / key[:16]
        own = {"method": "erase_to_retain", "forget_objective": "background", "reference": "none"}
        own["output_dir"] = str(folder)
        forget = ours.steps[0]
        step = replace(forget, settings={**forget.settings, **own})
        return Job("background", key, folder, folder / "release" / "student.pt", (step,))

    def _request(self, name: str, patients: list[str]) -> Path:
        path = self.pairs.folder / f"{name}.csv"
        write_request(path, name=name, patients=patients)
        return path


def write_request(
    path: Path,
    *,
    name: str,
    patients: Sequence[str],
    level: str = "patient",
    requested_on: str = "2026-01-01",
    ground: str = "research",
) -> None:
    """A request.csv for research, in a pool's folder; it names patients: nobody but its owner may read it.

    Folders that are missing are made with mode 0700, the file has mode 0600.

    Args:
        patients: ids of that level.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["request_id", "level", "id", "requested_on", "ground"])
    writer.writerows([[name, level, patient, requested_on, ground] for patient in patients])
    mask = os.umask(0o077)
    try:
        # Whole or absent, and never readable by others in between.
        write_text(path, text.getvalue())
    finally:
        os.umask(mask)
