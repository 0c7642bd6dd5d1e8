"""The forgetting phase: what moves, what must not, what a step sums, and that an interruption leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Events
from scripts import processes
from scripts.data.hard_examples import FLOOR, KEPT
from scripts.data.transforms import augmentation
from scripts.engines.forget import ForgetTrainer
from scripts.engines.forward import Forward
from scripts.engines.handlers import EpochSeed, History, Resume, StudentState
from scripts.engines.reference import load_fold_reference
from scripts.errors import InputError
from scripts.frozen.cache import FrozenCache
from scripts.objectives.base import ForgetBatch
from scripts.objectives.registry import build_forget_objective, build_retain_objective
from scripts.student.hashing import state_hash
from scripts.student.whole import WholeStudent


class Interrupted(Exception):
    pass


class Recorded:
    """An objective that remembers what it was called with."""

    def __init__(self, objective: Callable[..., torch.Tensor]) -> None:
        self.objective = objective
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *args: Any) -> torch.Tensor:
        self.calls.append(args)
        return self.objective(*args)


def forgetting(
    bench, folder: Path, *, forget: Any = "noisy_label", retain: Any = "distillation", rounds: int = 3, **settings: Any
) -> SimpleNamespace:
    """Trainer, student and handlers as configs/forget.yaml puts them together."""
    student = bench.student(**settings.get("adapter", {}))
    optimizer = torch.optim.AdamW(student.trainable(), settings.get("rate", 5e-3))
    loaders = bench.loaders(augment=augmentation("phantom"))
    loader = settings.get("loader") or loaders.joint(forget=2, retain=4, guard=0, steps=3)
    history = History(path=folder / "history.csv", phase="forget")
    forget = build_forget_objective(forget, "segmentation") if isinstance(forget, str) else forget
    retain = build_retain_objective(retain, "segmentation") if isinstance(retain, str) else retain
    resume = Resume(
        path=folder / "forget.pt",
        objects={
            "student": StudentState(student),
            "optimizer": optimizer,
            "history": history,
            "hard": getattr(loader, "hard", None),
        },
    )
    trainer = ForgetTrainer(
        arithmetic=bench.arithmetic,
        student=student,
        forward=Forward(
            arithmetic=bench.arithmetic,
            student=student.network,
            teacher=bench.teacher,
            reference=settings.get("reference"),
            cache=settings.get("cache"),
        ),
        loader=loader,
        optimizer=optimizer,
        forget_objective=forget,
        retain_objective=retain,
        seed=3,
        hard=getattr(loader, "hard", None),
        max_epochs=rounds,
        handlers=[resume, EpochSeed(seed=3, loaders=loader), history],
        **settings.get("trainer", {}),
    )
    return SimpleNamespace(trainer=trainer, student=student, optimizer=optimizer, loader=loader, history=history)


def flat(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: flat(part) for key, part in value.items()}
    return [flat(part) for part in value] if isinstance(value, (list, tuple)) else value


def outcome(run: SimpleNamespace) -> Any:
    return flat([run.student.state_dict_trainable(), run.optimizer.state_dict(), run.history.rows])


def test_only_the_adapter_moves(bench, tmp_path: Path) -> None:
    run = forgetting(bench, tmp_path)
    image = bench.loaders().sample("retain")
    teacher, revert = state_hash(bench.teacher.state_dict()), state_hash(run.student.revert().state_dict())
    before = run.student.state_dict_trainable()
    buffers = {name: value.clone() for name, value in run.student.network.named_buffers()}
    run.trainer.run()
    after = run.student.state_dict_trainable()
    assert all(not torch.equal(after[name], before[name]) for name in before if name.startswith("adapter."))
    assert all(torch.equal(after[name], before[name]) for name in before if not name.startswith("adapter."))
    # The teacher that is distilled, and the base below the adapter, with the BatchNorm statistics of both.
    assert state_hash(bench.teacher.state_dict()) == teacher == revert
    assert state_hash(run.student.revert().state_dict()) == teacher
    assert buffers and all(torch.equal(value, buffers[name]) for name, value in run.student.network.named_buffers())
    assert not bench.teacher.training and not any(p.requires_grad for p in bench.teacher.parameters())
    with torch.no_grad(), run.student.eval().adapter_off():
        assert torch.equal(run.student.network(image), bench.teacher(image))


def test_a_step_sums_the_losses_of_its_cohorts(bench, tmp_path: Path) -> None:
    forget, retain = (
        Recorded(build_forget_objective("background", "segmentation")),
        Recorded(build_retain_objective("supervised_distillation", "segmentation")),
    )
    loader = bench.loaders().joint(forget=2, retain=4, guard=0, steps=1)
    run = forgetting(
        bench,
        tmp_path,
        forget=forget,
        retain=retain,
        rounds=1,
        loader=loader,
        adapter={"dropout": 0.0},
        trainer={"forget_weight": 0.5, "retain_weight": 2.0},
    )
    run.trainer.run()
    loader.set_epoch(1)
    batch = next(iter(loader))
    with torch.no_grad():  # the student begins as the teacher
        z = bench.teacher(torch.cat([batch["forget"]["image"], batch["retain"]["image"]]))
    z_f, z_r = z[:2], z[2:]
    expected_forget = 0.5 * forget.objective(z_f, ForgetBatch(label=batch["forget"]["label"], teacher_logits=z_f))
    expected_retain = 2.0 * retain.objective(z_r, z_r, batch["retain"]["label"])
    (output,) = run.trainer.state.output
    assert output["forget_loss"].item() == pytest.approx(expected_forget.item(), rel=1e-4)
    assert output["retain_loss"].item() == pytest.approx(expected_retain.item(), rel=1e-4)
    assert output["loss"].item() == pytest.approx((expected_forget + expected_retain).item(), rel=1e-4)
    ((logits, seen),) = forget.calls
    assert torch.equal(seen.label, batch["forget"]["label"]) and torch.allclose(seen.teacher_logits, z_f, atol=1e-4)
    assert seen.reference_logits is None and logits.dtype == torch.float32


def test_guard_images_are_distilled_without_their_labels(bench, tmp_path: Path) -> None:
    loaders = bench.loaders()
    joint = loaders.joint(forget=2, retain=4, guard=0, steps=2)
    joint.datasets["guard"], joint.batch_sizes["guard"] = loaders.training(["selection"])["selection"], 3
    retain = Recorded(build_retain_objective("distillation", "segmentation"))
    run = forgetting(bench, tmp_path, retain=retain, rounds=1, loader=joint)
    run.trainer.run()
    assert [(len(z), label is None) for z, _, label in retain.calls] == [(4, False), (3, True)] * 2
    (parts,) = run.trainer.state.output
    assert parts["loss"].item() == pytest.approx(sum(parts[f"{n}_loss"].item() for n in ("forget", "retain", "guard")))


def test_reference_targets_reach_the_objective(bench, tmp_path: Path) -> None:
    reference = load_fold_reference(
        cohort=bench.cohort,
        network=bench.network(),
        teacher=bench.teacher,
        model_dir=bench.model_dir,
        selection=lambda: bench.loaders().evaluation("selection"),
        records=bench.cohort.forget,
        task=bench.task,
        arithmetic=bench.arithmetic,
    )
    forget = Recorded(build_forget_objective("imitation", "segmentation"))
    loader = bench.loaders().joint(forget=2, retain=4, guard=0, steps=1)
    run = forgetting(bench, tmp_path, forget=forget, rounds=1, loader=loader, reference=reference)
    run.trainer.run()
    loader.set_epoch(1)
    expected = reference.logits(next(iter(loader))["forget"])
    assert torch.equal(forget.calls[0][1].reference_logits, expected)


def test_images_on_which_the_student_strays_gain_weight(bench, tmp_path: Path) -> None:
    loader = bench.loaders().joint(forget=2, retain=4, guard=0, steps=3, hard_share=0.5)
    run = forgetting(bench, tmp_path, rounds=2, loader=loader)
    run.trainer.run()
    before = loader.hard.weights["retain"].clone()
    image = next(iter(bench.loaders().evaluation("retain")))
    with torch.no_grad():
        away = bench.task.departure(run.student.eval().network(image["image"]), bench.teacher(image["image"]))
    assert float(away.min()) > 0 and set(before.tolist()) != {1.0}
    loader.hard.observe("retain", image["image_id"], away)
    kept = torch.tensor([before[loader.hard.positions["retain"][own]] for own in image["image_id"]])
    assert loader.hard.weights["retain"][: len(away)].tolist() == pytest.approx(
        (KEPT * kept + (1 - KEPT) * (away + FLOOR)).tolist()
    )


@pytest.mark.parametrize(("forget", "step", "share"), [("noisy_label", 4, 0), ("random_label", 8, 0.5)])
def test_resumed_is_bit_equal_to_uninterrupted(bench, tmp_path: Path, forget: str, step: int, share: float) -> None:
    def loader() -> Any:
        images = bench.loaders(augment=augmentation("phantom"))
        return images.joint(forget=2, retain=4, guard=0, steps=3, hard_share=share)

    whole = forgetting(bench, tmp_path / "whole", forget=forget, loader=loader())
    whole.trainer.run()
    first = forgetting(bench, tmp_path / "parts", forget=forget, loader=loader())

    def stop(engine: Any) -> None:
        raise Interrupted

    first.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=step), stop)
    with pytest.raises(Interrupted):
        first.trainer.run()
    torch.manual_seed(99)
    second = forgetting(bench, tmp_path / "parts", forget=forget, loader=loader())
    second.trainer.run()
    assert outcome(second) == outcome(whole)
    assert (tmp_path / "parts" / "history.csv").read_bytes() == (tmp_path / "whole" / "history.csv").read_bytes()


def test_released_schedule_steps_over_retain_and_then_over_forget(bench, tmp_path: Path) -> None:
    order: list[str] = []

    def noted(name: str, objective: Any) -> Any:
        return lambda *args: order.append(name) or objective(*args)

    retain, forget = len(bench.cohort.retain), len(bench.cohort.forget)
    loader = bench.loaders().alternating(("retain", "forget"), forget=3, retain=8)
    run = forgetting(
        bench,
        tmp_path,
        forget=noted("forget", build_forget_objective("background", "segmentation")),
        retain=noted("retain", build_retain_objective("supervised_distillation", "segmentation")),
        rounds=2,
        loader=loader,
    )
    updates: list[int] = []
    run.optimizer.register_step_post_hook(lambda *args: updates.append(1))
    run.trainer.run()
    one_round = ["retain"] * -(-retain // 8) + ["forget"] * -(-forget // 3)
    assert order == one_round * 2 and len(updates) == len(order) == run.trainer.state.iteration
    # A step that saw one cohort reports that cohort alone.
    assert set(run.trainer.state.output[0]) == {"loss", "forget_loss"}


def test_a_loss_that_is_no_number_names_the_step_and_writes_nothing(bench, tmp_path: Path) -> None:
    calls: list[int] = []

    def broken(logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        calls.append(1)
        return logits.mean() * (float("nan") if len(calls) == 2 else 1.0)

    run = forgetting(bench, tmp_path, forget=broken)
    with pytest.raises(InputError, match="loss is nan at step 2: nothing was written"):
        run.trainer.run()
    assert list(tmp_path.iterdir()) == []
    assert all(bool(value.isfinite().all()) for value in run.student.state_dict_trainable().values())


def test_a_bounded_loss_that_is_off_moves_nothing(bench, tmp_path: Path) -> None:
    loader = bench.loaders().alternating(("retain", "forget"), forget=4, retain=8)
    del loader.loaders["retain"]
    run = forgetting(bench, tmp_path, forget=lambda logits, batch: logits.new_zeros(()), rounds=1, loader=loader)
    before = run.student.state_dict_trainable()
    run.trainer.run()
    assert all(torch.equal(value, before[name]) for name, value in run.student.state_dict_trainable().items())


def test_forgetting_lowers_the_score_on_the_forget_set(bench, tmp_path: Path) -> None:
    run = forgetting(bench, tmp_path, forget="background", rounds=4, rate=2e-2)
    criterion = bench.criterion(goal="suppress", bound=0.3)
    run.trainer.run()
    assert criterion.measure(run.student.network)["progress"] > 0.1


def test_with_and_without_a_cache_the_same_student(bench, tmp_path: Path) -> None:
    """Up to rounding: the cache computes each image by itself, whole networks compute batches."""
    found = {}
    for name, budget in (("anew", 0.0), ("cached", 1000.0)):
        cache = FrozenCache(folder=tmp_path / name / "cache", megabytes=budget)
        loader = bench.loaders().joint(forget=2, retain=4, guard=0, steps=4)
        run = forgetting(bench, tmp_path / name, loader=loader, cache=cache, rounds=4)
        run.trainer.run()
        found[name] = run
        assert bool(cache.bytes) == bool(budget)
    losses = [[row["value"] for row in run.history.rows if row["name"] == "loss"] for run in found.values()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    one, other = (run.student.state_dict_trainable() for run in found.values())
    for name, value in one.items():
        assert torch.allclose(value, other[name], atol=2e-3), name
    assert cache.report()["teacher"]["computed"] <= len(bench.cohort.forget) + len(bench.cohort.retain)
    assert cache.report()["teacher"]["looked_up"] > 0


def test_resumed_with_an_empty_cache_bit_for_bit(bench, tmp_path: Path) -> None:
    """Dropout and rounding must not see whether a row was stored or computed."""

    def make(name: str, cache: str) -> SimpleNamespace:
        frozen = FrozenCache(folder=tmp_path / cache, megabytes=1000)
        loader = bench.loaders().joint(forget=2, retain=4, guard=0, steps=3)
        adapter = {"dropout": 0.1, "scope": "decoder+head"}
        return forgetting(bench, tmp_path / name, loader=loader, cache=frozen, rounds=3, adapter=adapter)

    whole = make("whole", "a")
    whole.trainer.run()
    stopped = make("stopped", "b")

    def interrupt(engine: Any) -> None:
        raise Interrupted

    stopped.trainer.add_event_handler(Events.EPOCH_STARTED(once=3), interrupt)
    with pytest.raises(Interrupted):
        stopped.trainer.run()
    again = make("stopped", "c")
    again.trainer.run()
    assert outcome(again) == outcome(whole)


def test_views_that_are_drawn_anew_are_not_stored(bench, tmp_path: Path) -> None:
    cache = FrozenCache(folder=tmp_path / "cache", megabytes=1000)
    forgetting(bench, tmp_path, cache=cache, rounds=1).trainer.run()
    assert cache.report()["teacher"] == {"computed": 0, "looked_up": 0} and cache.bytes == 0


def test_batch_statistics_of_processes_without_gpus_are_refused_before_a_step(
    bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = WholeStudent.start(bench.teacher, teacher=bench.teacher, sample=torch.zeros(1, 1, 32, 32), live=True)
    monkeypatch.setattr(processes, "size", lambda: 2)
    with pytest.raises(InputError, match="BatchNorm in the network to train.*of 2 processes"):
        ForgetTrainer(
            arithmetic=bench.arithmetic,
            student=live,
            forward=Forward(arithmetic=bench.arithmetic, student=live.network, teacher=bench.teacher),
            loader=[],
            optimizer=torch.optim.SGD(live.trainable(), 1e-2),
            forget_objective=None,
            retain_objective=None,
        )
