"""The forward passes of a forgetting step: what no trainable weight changes is taken from the run's cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.frozen.cache import FrozenCache, block_size
from scripts.frozen.part import FrozenPart
from torch import nn


class Forward:
    """Logits of student, teacher and reference for batches of the forget, retain and guard sets.

    Teacher and reference never change, and neither does the student below its first adapted layer. Without a cache,
    and for images whose random transforms are drawn anew each time, all is computed.

    Args:
        student: the network in training.
        teacher: frozen; None where only the student is asked.
        reference: what forget images are drawn towards, where the objective asks for it: `logits` of a batch.
        cache: of the run; None computes everything.
    """

    def __init__(
        self,
        *,
        arithmetic: Arithmetic,
        student: nn.Module,
        teacher: nn.Module | None = None,
        reference: Any = None,
        cache: FrozenCache | None = None,
    ) -> None:
        self.arithmetic, self.network, self.teacher, self._reference = arithmetic, student, teacher, reference
        # In small blocks, and nothing kept: slower than whole batches.
        self.cache = cache = cache if cache is not None and cache.budget else None
        if cache is not None:
            self._part = FrozenPart(network=student, run=arithmetic.logits, stored=cache.stored("student"))
            self._taught = cache.stored("teacher")
            self._referred = cache.stored("reference")

    def student(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """Student's logits for one batch on its device."""
        keys = part_keys(batch) if self.cache is not None and self.arithmetic.at_once(batch["image"]) else None
        if keys is None:
            return self.arithmetic.logits(self.network, batch["image"])
        return self._part.logits(batch["image"], keys)

    def logits(self, parts: Mapping[str, Mapping[str, Any]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Student's logits, with gradient, and teacher's, for the images of all parts in their order."""
        images = torch.cat([part["image"] for part in parts.values()])
        keys = [part_keys(part) for part in parts.values()] if self.cache is not None else [None]
        if any(found is None for found in keys):
            student = self.arithmetic.logits(self.network, images)
            with torch.no_grad():
                return student, self.arithmetic.logits(self.teacher, images)
        names = [key for found in keys for key in found or ()]
        student = self._part.logits(images, names)
        block = block_size(images)
        (taught,) = self._taught.rows(names, lambda positions: (self._teach(images[positions]),), block)
        return student, taught.to(images.device)

    def reference(self, part: Mapping[str, Any]) -> torch.Tensor | None:
        """The reference's logits for the forget images; None where there is no reference."""
        reference = self._reference
        if reference is None:
            return None
        keys = part_keys(part) if self.cache is not None else None
        if keys is None:
            return reference.logits(part)

        def compute(positions: list[int]) -> tuple[torch.Tensor]:
            patients = [part["patient_id"][i] for i in positions]
            tensors = {name: part[name][positions] for name in ("image", "label")}
            return (reference.logits({**tensors, "patient_id": patients}),)

        (found,) = self._referred.rows(keys, compute, block_size(part["image"]))
        return found.to(part["image"].device)

    @torch.no_grad()
    def _teach(self, images: torch.Tensor) -> torch.Tensor:
        return self.arithmetic.logits(self.teacher, images)


def part_keys(part: Mapping[str, Any]) -> list[str] | None:
    """A name for each image of a batch and the view in which it comes; None where a view is drawn anew each time."""
    views = part.get("view")
    if views is None or not all(views):
        return None
    return [f"{image}/{view}" for image, view in zip(part["image_id"], views, strict=True)]
