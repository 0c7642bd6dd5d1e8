"""`run embed`: embeddings by a frozen encoder, a ridge head on them, and deletion of samples from that head."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from scripts.cohort.cohort import Cohort, Record
from scripts.cohort.loaders import CohortLoaders
from scripts.cohort.model_record import STATED, ModelRecord
from scripts.data.datasets import EpochLoader
from scripts.embedding.encoder import Encoder
from scripts.embedding.ridge import RidgeHead
from scripts.errors import InputError
from scripts.files import read_json, write_json, write_tensors
from scripts.identity import file_digest
from scripts.record.energy import costing
from scripts.record.run_folder import RunFolder
from scripts.student.teacher import read_state

FORMAT = 1
SETS = ("validation", "test")
REMEDY = "remove it and run embed again"


class Embedding:
    """Writes `release/head.pt` (W), `release/embedding.json`, `private/ridge.pt` (the sums) and `private/features.pt`.

    With a request the samples are taken out of the head that is there, or that is fitted first, and out of the features
    that are kept. That is exact for the head, and of the whole pipeline only where the encoder never saw the samples;
    the record names the encoder and says which.

    Args:
        encoder_path: file of the encoder's weights.
        digests: image id -> digest of its content, of the training set.
        ridge: of the head, above 0.
        classes: of the labels.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        encoder_path: Path,
        cohort: Cohort,
        loaders: CohortLoaders,
        digests: Mapping[str, str],
        folder: RunFolder,
        ridge: float,
        classes: int,
    ) -> None:
        self.encoder, self.encoder_path = encoder, encoder_path
        self.cohort, self.loaders, self.digests, self.folder = cohort, loaders, dict(digests), folder
        self.ridge, self.classes = float(ridge), int(classes)
        self.encoder_digest = file_digest(encoder_path)

    def run(self) -> None:
        """Embed, fit, and delete where there is a request.

        Raises:
            InputError: what lies in the folder is of another encoder, ridge or training set.
        """
        self.folder.begin()
        forget, retain = list(self.cohort.forget), list(self.cohort.retain)
        state = self._state()
        deleted = bool(forget) and state is not None and self._holds(state, retain)
        if deleted and self._recorded():
            print(f"embed: the samples are deleted already; {self.folder.release}", flush=True)
            return
        # Of samples that are out of the head no image is opened again, even where the rest was not written yet.
        records = retain if deleted else [*retain, *forget]
        if state is not None and not self._holds(state, records):
            raise InputError(
                f"{self.folder.private / 'ridge.pt'}: was fitted on other samples or labels than those of the training"
                " set; give another output_dir, or the tombstones of who was deleted before"
            )
        with costing() as cost:
            features, labels = self._features(records)
        head, fitted = self._head(state, features, labels)
        record: dict[str, Any] = {
            "format": FORMAT,
            "encoder": {"name": self.encoder_path.name, "sha256": self.encoder_digest},
            "ridge": self.ridge,
            "features": int(next(iter(features.values())).numel()) if features else 0,
            "embedding": cost.as_dict(),
            "fitting_milliseconds": fitted,
        }
        gone = [] if deleted else [one["image_id"] for one in forget]
        if forget:
            record["deletion"] = self._delete(head, gone, features, labels)
        record |= {"samples": head.count, "accuracy": self._accuracy(head)}
        self._write(head, features, record)
        self._tell(record)

    # -- features

    def _features(self, records: Sequence[Record]) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
        """Image id -> features, and its class; those that are kept are not computed again."""
        path = self.folder.private / "features.pt"
        known: dict[str, Any] = read_state(path) if path.is_file() else {}
        labels = {record["image_id"]: int(record["label"]) for record in records}
        keys = {name: self._key(name) for name in labels}
        missing = [record for record in records if keys[record["image_id"]] not in known]
        fresh = self._embedded(missing)
        print(f"embed: {len(missing)} of {len(records)} images embedded, the others were kept", flush=True)
        found = {name: known[key] if key in known else fresh[name] for name, key in keys.items()}
        return found, labels

    def _embedded(self, records: Sequence[Record]) -> dict[str, torch.Tensor]:
        if not records:
            return {}
        batches = EpochLoader(self.loaders.prepare(records, lazy=True), batch_size=self.loaders.batch_size)
        features, _ = self.encoder.embed(batches)
        return {record["image_id"]: row for record, row in zip(records, features, strict=True)}

    def _key(self, image_id: str) -> str:
        """By what a feature is kept: the content of the image and the encoder, and no id."""
        return f"{self.digests[image_id][:32]}.{self.encoder_digest[:16]}"

    # -- the head

    def _state(self) -> dict[str, torch.Tensor] | None:
        """The sums that are there.

        Raises:
            InputError: they are of another encoder or ridge, or damaged.
        """
        path = self.folder.private / "ridge.pt"
        if not path.is_file():
            return None
        state = read_state(path)
        if set(state) != {"gram", "cross", "encoder", "ridge", "count", "samples"}:
            raise InputError(f"{path}: is damaged, not what this bundle writes; {REMEDY}")
        own = float(state["ridge"]), bytes(state["encoder"].tolist()).hex()
        if own != (self.ridge, self.encoder_digest):
            raise InputError(f"{path}: is of another encoder or ridge; give another output_dir")
        return state

    def _head(
        self, state: Mapping[str, torch.Tensor] | None, features: Mapping[str, torch.Tensor], labels: Mapping[str, int]
    ) -> tuple[RidgeHead, float]:
        """The head that is there, else one that is fitted; and the milliseconds of fitting."""
        if state is not None:
            return RidgeHead(state["gram"], state["cross"], self.ridge, int(state["count"])), 0.0
        start = time.perf_counter()
        names = list(features)
        head = RidgeHead.fit(*_stacked(names, features, labels), classes=self.classes, ridge=self.ridge)
        return head, 1000 * (time.perf_counter() - start)

    def _delete(
        self,
        head: RidgeHead,
        gone: Sequence[str],
        features: dict[str, torch.Tensor],
        labels: Mapping[str, int],
    ) -> dict[str, Any]:
        """Take samples out of head and features; what the record says of it."""
        start = time.perf_counter()
        head.remove(*_stacked(gone, features, labels))
        weight = head.weight
        taken = 1000 * (time.perf_counter() - start)
        for name in gone:
            del features[name]
        again = RidgeHead.fit(*_stacked(list(features), features, labels), classes=self.classes, ridge=self.ridge)
        saw = self._encoder_saw()
        return {
            "samples": len(self.cohort.forget),
            "milliseconds": taken,
            "largest_difference_from_refit": float((weight - again.weight).abs().max()),
            "exact_for_the_head": True,
            "exact_for_encoder_and_head": saw == "",
            "why_not": saw,
        }

    def _encoder_saw(self) -> str:
        """Why the encoder may know the samples; empty where its record shows that it never saw them."""
        record = ModelRecord.read(self.encoder_path)
        if record is None or record.membership is None:
            return "the encoder has no record of who was in it"
        if record.training.get(STATED):
            return "who was in the encoder is stated, not recorded"
        known = sum(record.membership.saw_image(one["image_id"]) for one in self.cohort.forget)
        return f"the encoder was trained on {known} of the samples" if known else ""

    def _accuracy(self, head: RidgeHead) -> dict[str, float]:
        found = {}
        for name in SETS:
            if self.cohort.named(name):
                features, labels = self.encoder.embed(self.loaders.evaluation(name))
                found[name] = float((head.scores(features).argmax(1) == labels).double().mean())
        return found

    def _holds(self, state: Mapping[str, torch.Tensor], records: Sequence[Record]) -> bool:
        """Whether the sums are of exactly these samples, with the images and labels that they have now."""
        return torch.equal(state["samples"], self._samples(record["image_id"] for record in records))

    def _samples(self, names: Iterable[str]) -> torch.Tensor:
        """Digest of the contents of samples, (32,) bytes."""
        text = ",".join(sorted(self._key(name) for name in names))
        return torch.tensor(list(hashlib.sha256(text.encode()).digest()), dtype=torch.uint8)

    def _recorded(self) -> bool:
        """Whether the record says of a deletion that it was ended: it is written last."""
        path = self.folder.release / "embedding.json"
        found = read_json(path, remedy=REMEDY) if path.is_file() else {}
        return "deletion" in found and found.get("samples") == len(self.cohort.retain)

    def _write(self, head: RidgeHead, features: Mapping[str, torch.Tensor], record: Mapping[str, Any]) -> None:
        encoder = torch.tensor(list(bytes.fromhex(self.encoder_digest)), dtype=torch.uint8)
        sums = {"gram": head.gram, "cross": head.cross, "encoder": encoder}
        numbers = {"ridge": torch.tensor(self.ridge, dtype=torch.float64), "count": torch.tensor(head.count)}
        sums["samples"] = self._samples(features)
        # The record last: what an interruption left out is written when the command runs again.
        write_tensors(self.folder.private / "ridge.pt", {**sums, **numbers})
        write_tensors(self.folder.private / "features.pt", {self._key(name): row for name, row in features.items()})
        write_tensors(self.folder.release / "head.pt", {"weight": head.weight.float()})
        write_json(self.folder.release / "embedding.json", dict(record))

    def _tell(self, record: Mapping[str, Any]) -> None:
        accuracy = ", ".join(f"{name} {value:.3f}" for name, value in record["accuracy"].items())
        print(f"embed: head of {record['samples']} samples, accuracy {accuracy}; {self.folder.release}", flush=True)
        if "deletion" in record:
            own = record["deletion"]
            print(
                f"embed: {own['samples']} samples deleted in {own['milliseconds']:.1f} ms; largest difference from a"
                f" refit {own['largest_difference_from_refit']:.1e}",
                flush=True,
            )
            if own["why_not"]:
                print(f"embed: exact for the head alone: {own['why_not']}", flush=True)


def _stacked(
    names: Sequence[str], features: Mapping[str, torch.Tensor], labels: Mapping[str, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (N, D) and labels (N,) of images."""
    width = next(iter(features.values())).numel() if features else 0
    rows = torch.stack([features[name] for name in names]) if names else torch.zeros(0, width)
    return rows, torch.tensor([labels[name] for name in names], dtype=torch.int64)
