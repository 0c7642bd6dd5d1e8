"""What a measure may lose against models that never saw the data: fixed by the task, and no setting of a verdict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Margin:
    """Of one measure.

    Attributes:
        loss: that is accepted, in the measure's own unit; where `relative`, as a part of the retrained models' mean.
        higher_is_better: whether more of it is better.
    """

    loss: float
    relative: bool = False
    higher_is_better: bool = True

    def allowed(self, retrained: float) -> float:
        """The loss in the measure's unit, for this mean of the retrained models."""
        return self.loss * abs(retrained) if self.relative else self.loss
