"""A finished phase as artefacts: the fitted scale, the adapter, the plain student."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from scripts.record.outcome import FitScale
from scripts.student.storage import load_student


class Linear:
    """A criterion whose progress is `slope` times what the adapter adds to the output of one image."""

    def __init__(self, bench: Any, student: Any, *, slope: float) -> None:
        self.image, self.teacher = bench.loaders().sample("forget"), bench.teacher
        self.scale_one = self._added(student.network)
        self.slope = slope

    def _added(self, network: Any) -> float:
        network.eval()
        with torch.no_grad():
            return float((network(self.image) - self.teacher(self.image)).norm())

    def measure(self, network: Any, logits: Any = None) -> dict[str, float]:
        return {"progress": self.progress(network), "kept": 0.0}

    def progress(self, network: Any, logits: Any = None) -> float:
        return self.slope * self._added(network) / self.scale_one


def moved(bench: Any) -> Any:
    student = bench.student(scope="head", dropout=0.0)  # of the head alone, so that the output is linear in the scale
    with torch.no_grad():
        for parameter in student.trainable():
            parameter.add_(0.1)
    return student


def fitted(bench: Any, *, slope: float, enabled: bool = True) -> tuple[Any, dict[str, Any], Any]:
    student = moved(bench)
    criterion = Linear(bench, student, slope=slope)
    engine = Engine(lambda engine, batch: None)
    FitScale(criterion=criterion, student=student, enabled=enabled).attach(engine)
    engine.run([0], max_epochs=1)
    return student, engine.state.metrics, criterion


@pytest.mark.parametrize(("slope", "scale"), [(2.0, 0.5), (4.0, 0.25), (1.0, 1.0), (0.9, 1.0), (0.5, 1.0)])
def test_scale_is_fitted_to_the_goal_and_folded_in(bench, slope: float, scale: float) -> None:
    student, metrics, criterion = fitted(bench, slope=slope)
    assert metrics["adapter_scale"] == pytest.approx(scale, rel=0.025)
    assert metrics["progress"] == pytest.approx(slope * metrics["adapter_scale"], rel=1e-3)
    assert student.scale == 1.0  # folded into the weights: a saved adapter means the same to any reader
    assert criterion.measure(student.network)["progress"] == pytest.approx(metrics["progress"])


def test_not_fitted_where_the_recipe_says_so(bench) -> None:
    student, metrics, _ = fitted(bench, slope=2.0, enabled=False)
    assert metrics["adapter_scale"] == 1.0 and metrics["progress"] == pytest.approx(2.0, rel=1e-4)
    before, after = moved(bench).state_dict_trainable(), student.state_dict_trainable()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_student_is_a_plain_network(bench, finished) -> None:
    network = bench.network(seed=9)
    network.load_state_dict(torch.load(finished.folder.student, weights_only=True), strict=True)
    image = bench.loaders().sample("forget")
    with torch.no_grad():
        plain, adapted = network.eval()(image), finished.student.eval().network(image)
        assert torch.allclose(plain, adapted, atol=1e-4)
        assert not torch.allclose(plain, bench.teacher(image), atol=1e-2)


def test_adapter_on_disk_is_the_student(bench, finished) -> None:
    loaded = load_student(bench.teacher, finished.folder.adapter)
    image = bench.loaders().sample("forget")
    with torch.no_grad():
        assert torch.equal(loaded.eval().network(image), finished.student.eval().network(image))


def test_the_run_is_noted_as_a_trial(finished) -> None:
    state = finished.folder.read_state()
    assert state["state"] == "trial" and state["forget"]["rounds"] == finished.trainer.state.epoch == 2
    assert {"progress", "kept", "adapter_scale", "loss"} <= set(state["forget"])


def test_a_finished_phase_run_again_gives_the_same_student(bench, forget_run) -> None:
    _, first, _ = forget_run()
    folder, again, trainer = forget_run()
    steps = SimpleNamespace(count=0)
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda engine: setattr(steps, "count", steps.count + 1))
    one, other = first.state_dict_trainable(), again.state_dict_trainable()
    # The scale is fitted anew from the trained adapter, not a second time on top of the first.
    assert all(torch.equal(one[name], other[name]) for name in one) and steps.count == 0
    assert folder.read_state()["forget"]["rounds"] == 2
