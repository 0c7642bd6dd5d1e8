"""Checkpoints: what they refuse, and what they leave alone. Bit-equal resumption is tested with each engine."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events
from scripts.engines.handlers import Resume, StudentState
from scripts.errors import InputError
from torch import nn


class Counter:
    """Counts steps; its state is that number."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


def run(path: Path, *, epochs: int = 3, fail_at: int = 0, every: int = 1, **fingerprint: object) -> tuple[int, int]:
    """Steps counted over all attempts, and steps of this one."""
    counter, own = Counter(), [0]

    def step(engine: Engine, batch: int) -> None:
        counter.count += 1
        own[0] += 1
        if own[0] == fail_at:
            raise KeyboardInterrupt

    engine = Engine(step)
    objects = {"counter": counter, "none": None}
    Resume(path=path, objects=objects, fingerprint=fingerprint, every=every).attach(engine)
    engine.run([0, 1], max_epochs=epochs)
    return counter.count, own[0]


def test_goes_on_after_the_last_whole_epoch(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c.pt", fail_at=4)
    assert run(tmp_path / "c.pt") == (6, 4)
    assert run(tmp_path / "c.pt") == (6, 0)
    assert os.listdir(tmp_path) == ["c.pt"]


def test_saves_every_so_many_epochs(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c.pt", epochs=5, fail_at=8, every=2)
    assert run(tmp_path / "c.pt", epochs=5, every=2) == (10, 6)


def test_another_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c.pt", fail_at=3, seed=0, rate=0.1)
    with pytest.raises(InputError, match="interrupted run with seed = 0, not 1; give the same settings") as caught:
        run(tmp_path / "c.pt", seed=1, rate=0.1)
    assert str(tmp_path / "c.pt") in str(caught.value)
    with pytest.raises(InputError, match="with rate = 0.1, not None"):
        run(tmp_path / "c.pt", seed=0)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 broken"])
def test_an_unreadable_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"c\.pt: not a readable checkpoint; remove it to start afresh"):
        run(tmp_path / "c.pt")


@pytest.mark.parametrize(
    "change",
    [
        3,
        [],
        {"engine": 3},
        {"engine": {"epoch": "1", "iteration": 2, "stopped": False}},
        {"engine": {"epoch": -1, "iteration": 2, "stopped": False}},
        {"engine": {"epoch": 1, "iteration": 2, "stopped": torch.zeros(2)}},
        {"fingerprint": "{x"},
        {"fingerprint": 7},
        {"fingerprint": "[]"},
        {"objects": None},
        {"objects": {}},
        {"objects": {"counter": 3}},
        {"objects": {"counter": {}}},
    ],
)
def test_a_checkpoint_of_another_form_is_named(tmp_path: Path, change: object) -> None:
    run(tmp_path / "c.pt")
    whole = torch.load(tmp_path / "c.pt", weights_only=True)
    torch.save({**whole, **change} if isinstance(change, dict) else change, tmp_path / "c.pt")
    with pytest.raises(InputError, match=r"c\.pt: is damaged.*; remove it to start afresh"):
        run(tmp_path / "c.pt")


@dataclasses.dataclass(frozen=True)
class Settings:
    """As a recipe: its repr stands in the fingerprint."""

    rank: int = 8
    alpha: float = 32.0
    scope: str = "head"


def test_settings_inside_a_fingerprint_are_named_as_in_the_configs(tmp_path: Path) -> None:
    run(tmp_path / "c.pt", recipe=repr(Settings()), parts={"a": 1})
    with pytest.raises(InputError, match="with lora_alpha = 32.0, not 16.0, lora_rank = 8, not 4; give") as caught:
        run(tmp_path / "c.pt", recipe=repr(Settings(rank=4, alpha=16.0)), parts={"a": 1})
    assert "Settings(" not in str(caught.value) and "scope" not in str(caught.value)
    with pytest.raises(InputError, match="with a = 1, not 2; give"):
        run(tmp_path / "c.pt", recipe=repr(Settings()), parts={"a": 2})


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harmed"),)

    torch.save(Harm(), tmp_path / "c.pt")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        run(tmp_path / "c.pt")
    assert not (tmp_path / "harmed").exists()


def test_saves_after_every_other_handler_of_the_epoch(tmp_path: Path) -> None:
    network = nn.Linear(1, 1)
    engine = Engine(lambda engine, batch: None)
    Resume(path=tmp_path / "c.pt", objects={"network": network}).attach(engine)

    def late(engine: Engine) -> None:
        with torch.no_grad():
            network.weight.fill_(engine.state.epoch)

    engine.add_event_handler(Events.EPOCH_COMPLETED, late)
    engine.add_event_handler(Events.EPOCH_STARTED(once=3), lambda e: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine.run([0], max_epochs=5)
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    assert saved["objects"]["network"]["weight"].item() == saved["engine"]["epoch"] == 2


def test_student_as_state(bench) -> None:
    one, other = bench.student(seed=1), bench.student(seed=2)
    with torch.no_grad():
        one.trainable()[1].fill_(0.5)
    StudentState(other).load_state_dict(StudentState(one).state_dict())
    image = bench.loaders().sample("forget")
    with torch.no_grad():
        assert torch.equal(one.eval().network(image), other.eval().network(image))
