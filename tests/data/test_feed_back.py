"""What was wrong comes once more, and an epoch keeps its length."""

from __future__ import annotations

import torch
from scripts.data.datasets import EpochLoader
from scripts.data.feed_back import FeedBack
from scripts.tasks import build_task
from torch.utils.data import Dataset

IDS = [f"image-{place}" for place in range(10)]


class Few(Dataset):
    def __len__(self) -> int:
        return len(IDS)

    def __getitem__(self, place: int) -> dict[str, str]:
        return {"image_id": IDS[place]}


def fed(share: float = 0.5) -> FeedBack:
    return FeedBack(share=share, task=build_task("classification"))


def loader(feed_back: FeedBack) -> EpochLoader:
    return EpochLoader(Few(), batch_size=4, seed=3, shuffle=True, feed_back=feed_back, ids=IDS)


def epoch(own: EpochLoader, number: int) -> list[str]:
    own.set_epoch(number)
    return [one for batch in own for one in batch["image_id"]]


def observe(feed_back: FeedBack, wrong: list[str]) -> None:
    logits = torch.tensor([[0.0, 1.0] if one in wrong else [1.0, 0.0] for one in IDS])
    feed_back.observe(IDS, logits, torch.zeros(len(IDS), dtype=torch.int64))


def test_wrong_images_take_the_last_places_of_the_next_epoch_alone() -> None:
    feed_back = fed()
    own = loader(feed_back)
    plain = epoch(loader(fed()), 1)
    assert sorted(epoch(own, 0)) == sorted(IDS)
    observe(feed_back, ["image-2", "image-7"])
    second = epoch(own, 1)
    assert second[:-2] == plain[:-2] and set(second[-2:]) == {"image-2", "image-7"} and len(second) == len(IDS)
    observe(feed_back, [])
    assert sorted(epoch(own, 2)) == sorted(IDS)


def test_no_more_than_the_share_is_fed_back() -> None:
    feed_back = fed(0.3)
    own = loader(feed_back)
    epoch(own, 0)
    observe(feed_back, IDS[:8])
    second = epoch(own, 1)
    assert second[:7] == epoch(loader(fed()), 1)[:7] and set(second[7:]) <= set(IDS[:8])


def test_nothing_is_noted_where_nothing_is_fed_back() -> None:
    feed_back = fed(0.0)
    observe(feed_back, IDS)
    assert feed_back.state_dict() == {"wrong": []}
    assert epoch(loader(feed_back), 1) == epoch(EpochLoader(Few(), batch_size=4, seed=3, shuffle=True), 1)


def test_a_resumed_training_feeds_back_what_the_interrupted_one_would() -> None:
    first = fed()
    own = loader(first)
    epoch(own, 0)
    observe(first, ["image-1", "image-5"])
    second = fed()
    second.load_state_dict(first.state_dict())
    resumed = loader(fed())
    resumed.feed_back = resumed._sampler.feed_back = second
    assert epoch(resumed, 1) == epoch(own, 1)
