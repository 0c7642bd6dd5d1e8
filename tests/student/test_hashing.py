"""One digest for one set of weights."""

from __future__ import annotations

import hashlib

import torch
from scripts.student.hashing import architecture_hash, state_hash

STATE = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(3), "h": torch.ones(2, dtype=torch.bfloat16)}


def test_closed_form():
    digest = hashlib.sha256(b"w|torch.float32|(2,)\n" + torch.tensor([1.0, 2.0]).numpy().tobytes())
    assert state_hash({"w": torch.tensor([1.0, 2.0])}) == digest.hexdigest()


def test_order_and_layout_do_not_matter():
    turned = {key: STATE[key] for key in reversed(list(STATE))} | {"b": STATE["b"].t().contiguous().t()}
    assert state_hash(turned) == state_hash(STATE)


def test_names_values_types_and_shapes_do():
    changes = [
        {"b": STATE["b"] + 1},
        {"b": STATE["b"].double()},
        {"b": STATE["b"].reshape(3, 2)},
        {"c": STATE["b"]},
        {"b": -STATE["b"]},
    ]
    seen = {state_hash(STATE | change) for change in changes}
    assert len(seen) == len(changes) and state_hash(STATE) not in seen


def test_architecture_ignores_values_alone():
    assert architecture_hash(STATE | {"b": STATE["b"] + 1}) == architecture_hash(STATE)
    assert architecture_hash(STATE | {"b": STATE["b"].reshape(3, 2)}) != architecture_hash(STATE)
