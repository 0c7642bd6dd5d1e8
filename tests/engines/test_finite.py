"""A loss that is no number ends the run."""

from __future__ import annotations

import pytest
import torch
from scripts.engines.finite import require_finite
from scripts.errors import InputError


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_names_the_step(value: float) -> None:
    with pytest.raises(InputError, match=rf"loss is {value} at step 17: nothing was written"):
        require_finite(torch.tensor(value), step=17)


def test_a_number_passes() -> None:
    loss = torch.tensor(2.0)
    assert require_finite(loss, step=1) is loss
