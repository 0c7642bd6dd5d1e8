"""Erase to Retain (arXiv 2511.16574): a teacher's student learns to contradict it on the forget set.

Released: alternating passes with an all-background target, as in the paper's code. Bounded, the default: one summed
loss per step, against what members of the pool say that never saw the patients. The head is restored after it.
"""

from __future__ import annotations

from typing import Any

from scripts.methods.method import Context, Method
from scripts.methods.recipe import PLAIN
from scripts.student.student import Student
from scripts.tasks.registry import build_task

UNLEARN = {
    "trainable": "adapter",
    "scope": "decoder+head",
    "rank": 8,
    "alpha": 32.0,
    "dropout": 0.0,
    # 180 large steps that shrink to nothing do what 320 to 400 small ones did: docs/RESULTS.md, "Cost".
    "learning_rate": 3e-3,
    "optimizer": "adamw",
    **PLAIN["adamw"],
    "lr_schedule": "cosine",
    "forget_objective": "imitation",
    "forget_weight": 1.0,
    "retain_objective": "supervised_distillation",
    "retain_weight": 1.0,
    # Enough to hold retain at the teacher's level, not so much that it goes on training past it.
    "supervised_weight": 0.05,
    "forget_batch": 8,
    "retain_batch": 8,
    "guard_batch": 0,
    "hard_share": 0.0,
    "hardening_weight": 0.0,
    "hardening_steps": 20,
    # As many as a few hundred steps draw anyhow: the cost stays the same however large the training set is.
    "retain_images": 320,
    "steps_per_round": 45,
    "max_rounds": 4,
    "min_rounds": 4,
    "stop_at": 0.97,
    "tolerance": 0.01,
    "bisect": True,
}
# Where all weights are trained, as measured on the phantom in docs/RESULTS.md, "Recovery".
ALL_WEIGHTS = {
    **UNLEARN,
    "trainable": "all",
    # A third of the adapter's rate: here every weight moves, and larger steps cost the retain set.
    "learning_rate": 1e-3,
    "retain_batch": 32,
    "supervised_weight": 0.5,
    "hardening_weight": 0.3,
    "bisect": False,
}
SUPPRESS = {
    **UNLEARN,
    "scope": "all",
    "rank": 16,
    "learning_rate": 2e-3,
    # Selectivity comes late: without decay the last steps trade retain against forget at random.
    "lr_schedule": "cosine",
    "forget_objective": "foreground",
    # At weight 1 the first steps take the structure away everywhere, and most later ones go into giving it back.
    "forget_weight": 0.2,
    "retain_objective": "distillation",
    "retain_batch": 12,
    "guard_batch": 12,
    # What is lost beside the forget set is lost on its look-alikes.
    "hard_share": 0.5,
    "retain_images": "all",
    "steps_per_round": 50,
    "max_rounds": 30,
    "min_rounds": 20,
    "stop_at": 1.0,
}
RELEASED = {
    **UNLEARN,
    "scope": "all",
    "dropout": 0.05,
    "learning_rate": 1e-4,
    "lr_schedule": "constant",
    "forget_objective": "background",
    "supervised_weight": 1.0,
    "retain_images": "all",
    "forget_batch": 64,
    "retain_batch": 64,
    "steps_per_round": 0,
    "max_rounds": 15,
    "min_rounds": 15,
    "stop_at": float("inf"),
    "bisect": False,
}


class EraseToRetain(Method):
    """L = L_forget(z, z_ref) + D(z, z_T) + .05 |z - z_T|^2 + supervised_weight L_supervised(retain), D at T = 2.

    z_ref is what fold teachers say that never saw the patients. `trainable: adapter` puts LoRA layers on the teacher;
    `trainable: all` trains a copy of it, hardened against relearning.
    """

    name = "erase_to_retain"
    goals = ("unlearn", "suppress")

    @property
    def passes(self) -> tuple[str, ...]:
        """The released schedule: a pass over retain, then one over forget."""
        return ("retain", "forget") if self.recipe.schedule == "released" else ()

    @property
    def phases(self) -> tuple[str, ...]:
        """Where all weights are trained the head was, with the labels: restoration has nothing to gain."""
        return ("forget",) if self.recipe.trainable == "all" else ("forget", "restore")

    @classmethod
    def defaults(cls, *, goal: str, schedule: str, task: str, reference: str, trainable: str) -> dict[str, Any]:
        """By goal and schedule; those of `trainable: all` differ, for it moves every weight."""
        if schedule == "released":
            released = dict(RELEASED)
            if not build_task(task).background:
                # The background target has no meaning for them; the released classifier pushes to uniform.
                released.update(
                    forget_objective="entropy", forget_batch=16, retain_batch=16, max_rounds=30, min_rounds=30
                )
            return released
        chosen = dict(SUPPRESS if goal == "suppress" else ALL_WEIGHTS if trainable == "all" else UNLEARN)
        if goal == "unlearn" and reference == "none":
            chosen["forget_objective"] = "noisy_label"
        return chosen

    def student(self, context: Context) -> Student:
        recipe = self.recipe
        if recipe.trainable == "all":
            from scripts.student.whole import WholeStudent

            return WholeStudent.start(context.teacher, teacher=context.teacher, sample=context.sample)
        from scripts.student.adapter import AdapterStudent

        return AdapterStudent.attach(
            context.teacher,
            scope=recipe.scope,
            rank=recipe.rank,
            alpha=recipe.alpha,
            dropout=recipe.dropout,
            sample=context.sample,
            seed=context.seed,
        )
