"""Selective synaptic dampening (Foster et al., arXiv 2308.07707): weights that matter for the forget set shrink."""

from __future__ import annotations

from typing import Any

import torch
from scripts.cohort.cohort import Cohort, Record
from scripts.methods.baseline import FORGET_TERMS, STEPS, WithoutSteps
from scripts.methods.method import Context
from scripts.student.student import Student


class SelectiveSynapticDampening(WithoutSteps):
    """theta_i *= min(dampening * I_i / I_i^f, 1) where I_i^f > dampen_above * I_i; no step of training.

    I is the diagonal of the Fisher information over the training set, I^f over the forget set; each image has its own
    gradient here, where the authors' code takes a batch's. Published: dampen_above 10, dampening 1.
    """

    name = "ssd"
    opens_patients = True
    own = ("dampen_above", "dampening")
    idle = (*FORGET_TERMS, *STEPS)
    published = {**WithoutSteps.published, "dampen_above": 10.0, "dampening": 1.0}

    def looked_at(self, cohort: Cohort) -> tuple[Record, ...]:
        return cohort.forget

    def act(self, student: Student, context: Context) -> None:
        from scripts.engines.gradients import fisher_diagonal

        loaders, trained = context.loaders, student.trainable()
        about: dict[str, Any] = {"parameters": trained, "loss": context.task.loss, "arithmetic": context.arithmetic}
        retain, forget = loaders.drawn("retain"), context.cohort.forget
        network = student.eval().network

        def fisher(records: Any) -> list[torch.Tensor]:
            return fisher_diagonal(network, loaders.as_trained(records, batch_size=1), **about)

        own, others = fisher(forget), fisher(retain)
        share = len(forget) / (len(forget) + len(retain))
        whole = [share * one + (1 - share) * other for one, other in zip(own, others, strict=True)]
        dampen(trained, own=own, whole=whole, above=self.recipe.dampen_above, constant=self.recipe.dampening)


@torch.no_grad()
def dampen(parameters: Any, *, own: Any, whole: Any, above: float | None, constant: float | None) -> None:
    """Shrink weights in place.

    Args:
        own, whole: importance of each weight for the forget set and for the training set.
        above: times that `own` must be above `whole`.
        constant: factor on `whole / own`.
    """
    assert above is not None and constant is not None
    for parameter, mine, all_images in zip(parameters, own, whole, strict=True):
        factor = (constant * all_images / mine.clamp_min(torch.finfo(mine.dtype).tiny)).clamp(max=1.0)
        parameter.mul_(torch.where(mine > above * all_images, factor, torch.ones_like(factor)))
