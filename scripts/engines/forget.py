"""The forgetting phase: retain and forget losses of one student, joint in a step or in alternating passes."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from ignite.engine import Engine
from monai.engines.trainer import Trainer
from scripts import processes
from scripts.data.divided import part_of
from scripts.data.hard_examples import HardExamples
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.batch_norm import synchronised
from scripts.engines.finite import require_finite
from scripts.engines.forward import Forward
from scripts.engines.hardening import Hardening
from scripts.objectives.base import ForgetBatch
from scripts.student.student import Student


class ForgetTrainer(Trainer):
    """MONAI Trainer whose iteration sums the losses of the cohorts in its batch:

    `loss = forget_weight * L_forget(z_S, y, z_T, z_ref) + retain_weight * L_retain(z_S, z_T, y)`

    and, where the student is hardened, `hardening_weight * L_forget` of an attacked copy; see `Hardening`.

    The joint schedule puts forget, retain and guard images into each batch; the released schedule one
    cohort at a time, and so one optimiser step each. Guard images are distilled without their labels.

    Args:
        student: what is trained; its base never moves.
        forward: logits of student, teacher and reference; see there.
        loader: batches of cohort name -> {image, label, image_id, patient_id, view}.
        scheduler: of the learning rate, stepped once a step.
        hard: is told how far the student strays on each retain and guard image; None draws evenly.
        hardening: against relearning; None leaves it out.
        settings: of MONAI's Trainer (max_epochs, handlers, ...).

    Attributes:
        fixed_targets: whether a random target of an image is the same in every step.
    """

    fixed_targets = False

    def __init__(
        self,
        *,
        arithmetic: Arithmetic,
        student: Student,
        forward: Forward,
        loader: Any,
        optimizer: torch.optim.Optimizer,
        forget_objective: Any,
        retain_objective: Any,
        scheduler: Any = None,
        forget_weight: float = 1.0,
        retain_weight: float = 1.0,
        hard: HardExamples | None = None,
        hardening: Hardening | None = None,
        seed: int = 0,
        max_epochs: int = 1,
        handlers: Any = None,
        **settings: Any,
    ) -> None:
        self.arithmetic = arithmetic
        if student.network.live:
            synchronised(student.network, device=arithmetic.device)
        self.student = student
        self.forward = forward
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.forget_objective = forget_objective
        self.retain_objective = retain_objective
        self.forget_weight = float(forget_weight)
        self.retain_weight = float(retain_weight)
        self.hard, self.hardening = hard, hardening
        self.generator = torch.Generator()
        self.seed = int(seed)
        super().__init__(
            device=arithmetic.device,
            max_epochs=int(max_epochs),
            data_loader=loader,
            epoch_length=len(loader),
            decollate=False,
            handlers=handlers,
            **settings,
        )

    def _iteration(self, engine: Engine, batchdata: dict[str, dict[str, Any]]) -> list[dict[str, torch.Tensor]]:
        parts = {name: self.arithmetic.move(batch) for name, batch in batchdata.items()}
        # Random targets of a step depend on (seed, step) alone.
        self.generator.manual_seed(self.seed * 1_000_003 + engine.state.iteration)
        self.student.train()
        self.optimizer.zero_grad(set_to_none=True)
        logits, taught = self.forward.logits(parts)
        sizes = [len(part["image"]) for part in parts.values()]
        output: dict[str, torch.Tensor] = {}
        total = logits.new_zeros(())
        asked: ForgetBatch | None = None
        for name, part, z, z_t in zip(parts, parts.values(), logits.split(sizes), taught.split(sizes), strict=True):
            if name == "forget":
                asked = self._asked(part, z_t)
                loss = self._forget(z, asked)
            else:
                loss = self._keep(name, part, z, z_t)
                self._observe(name, part, z, z_t)
            loss = part_of(part).share * loss
            total = total + loss
            output[f"{name}_loss"] = loss.detach()
        # Of several processes each adds its part: their gradients are summed.
        total = total + self._penalty(engine) / processes.size()
        if self.hardening is not None and asked is not None and "retain" in parts:
            output["hardened_loss"] = self._harden(self.hardening, parts, asked, engine)
        shown = {name: processes.summed(value) for name, value in {"loss": total.detach(), **output}.items()}
        for name in ("loss", "hardened_loss"):
            if name in shown:
                require_finite(shown[name], step=engine.state.iteration, setting="forget_learning_rate")
        if total.requires_grad:
            # Added to what hardening left there.
            total.backward()
            processes.sum_gradients(self.student.trainable())
            self.optimizer.step()
            self._stepped()
            if self.scheduler is not None:
                self.scheduler.step()
        return [shown]

    def _penalty(self, engine: Engine) -> torch.Tensor | float:
        """What a method adds to the loss, of the weights alone."""
        return 0.0

    def _stepped(self) -> None:
        """What a method does to the weights after a step."""

    def _asked(self, part: dict[str, Any], taught: torch.Tensor) -> ForgetBatch:
        """What the objective may know of the forget images of a step; the fold teachers are asked once."""
        return ForgetBatch(
            label=part["label"],
            teacher_logits=taught,
            reference_logits=self.forward.reference(part),
            generator=self.generator,
            sample_index=[_number(image) for image in part["image_id"]] if self.fixed_targets else None,
            before=part_of(part).start,
        )

    def _forget(self, logits: torch.Tensor, asked: ForgetBatch) -> torch.Tensor:
        return self.forget_weight * self.forget_objective(logits, asked)

    def _harden(
        self, hardening: Hardening, parts: dict[str, dict[str, Any]], asked: ForgetBatch, engine: Engine
    ) -> torch.Tensor:
        """The forget loss on the attacked copy; its gradients are added to the student's."""
        return hardening.add_gradients(
            forget=parts["forget"],
            retain=parts["retain"],
            step=(engine.state.iteration - 1) % len(engine.state.dataloader),
            forget_loss=lambda logits: self._forget(logits, asked),
        )

    def _keep(self, name: str, part: dict[str, Any], logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        label = part["label"] if name == "retain" else None
        return self.retain_weight * self.retain_objective(logits, taught, label)

    def _observe(self, name: str, part: dict[str, Any], logits: torch.Tensor, taught: torch.Tensor) -> None:
        """Tell the sampling weights about the whole batch, in its order, in every process."""
        if self.hard is None:
            return
        counted = slice(None) if part_of(part).share else slice(0)
        with torch.no_grad():
            apart = self.retain_objective.task.departure(logits, taught).cpu()
        own = part["image_id"][counted], apart[counted]
        ids, departures = zip(*processes.gathered(own), strict=True)
        self.hard.observe(name, [image for found in ids for image in found], torch.cat(departures))


def _number(image_id: str) -> int:
    """A whole number that stands for an image."""
    return int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:7], "big")
