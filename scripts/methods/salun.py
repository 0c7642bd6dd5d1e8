"""SalUn (Fan et al., arXiv 2310.12508): random labels, and only the weights move that matter for the forget set."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from scripts.methods.method import Context
from scripts.methods.random_label import RandomLabelMethod


class SalUn(RandomLabelMethod):
    """m = [|sum over forget images of dL/dtheta| among the largest `saliency_share`], taken once, at the teacher.

    Then `random_label` where m = 1. All other weights are put back after every step and their momentum is cleared.
    """

    name = "salun"
    own: tuple[str, ...] = ("saliency_share",)
    published = {"forget_objective": "random_label", "saliency_share": 0.5}

    def engine(self, *, context: Context, **parts: Any) -> Engine:
        from scripts.engines.forget import ForgetTrainer
        from scripts.engines.gradients import summed_gradients
        from scripts.engines.saliency import Saliency

        student, share = parts["student"], self.recipe.saliency_share
        assert share is not None

        class Trainer(ForgetTrainer):
            fixed_targets = True
            saliency: Saliency

            def _stepped(self) -> None:
                self.saliency.hold(self.optimizer)

        trainer = Trainer(**parts)

        def look(engine: Engine) -> None:
            # At the teacher, and before a checkpoint is read: a resumed run gets the same mask.
            begun = student.state_dict_trainable()
            before = self.student(context).state_dict_trainable()
            student.load_trainable(before)
            trained = student.trainable()
            gradients = summed_gradients(
                student.eval().network,
                context.loaders.as_trained(context.cohort.forget, batch_size=self.recipe.forget_batch),
                parameters=trained,
                loss=context.task.loss,
                arithmetic=context.arithmetic,
            )
            trainer.saliency = Saliency(trained, gradients, share=share)
            student.load_trainable(begun)
            engine.state.metrics["saliency_share"] = trainer.saliency.share

        trainer.add_event_handler(Events.STARTED, look)
        return trainer
