"""The report: what it says, what it hides, and how a real browser shows it."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts.files import write_json
from scripts.report.page import Report, fraction_interval
from tests.record.judged import Run, passing_pool, pool_of
from tests.verify.simulated import simulated

HOSTILE = "<script>document.title='owned'</script><img src=http://example.org/x onerror=alert(1)>"
PICTURE = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\n"
    b"IDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


@pytest.fixture(scope="module")
def passing() -> dict[str, Any]:
    return passing_pool()


def judged(root: Path, pool: dict[str, Any], *, ground: str = "erasure_request") -> Run:
    """A judged run with metrics, costs, pictures and a request."""
    run = Run(root, pool)
    folder = run.folder
    request = {"request_id": "r-1", "level": "patient", "ids": ["secret-a"], "requested_on": "2026-01-31"}
    write_json(folder.resolution, {"request": {**request, "ground": ground}, "images": {}})
    sets = {"forget": 4, "retain": 36, "validation": 10, "test": 20}
    means = {name: {"n_patients": size, "dice": {"mean": 0.9}} for name, size in sets.items()}
    write_json(folder.metrics, {"teacher": means, "student": means})
    write_json(folder.timing, {"forget": {"cpu_seconds": 12.34}})
    write_json(folder.release / "references.json", {"seconds": {"original": [30.0, 31.0], "retrained": [29.0, 29.0]}})
    folder.overlays.mkdir()
    (folder.overlays / "forget.png").write_bytes(PICTURE)
    run.judge()
    Report(folder=folder, synthetic=True).write()
    return run


def pages(run: Run) -> tuple[str, str]:
    private, release = (part / "report.html" for part in (run.folder.private, run.folder.release))
    return private.read_text(encoding="utf-8"), release.read_text(encoding="utf-8")


def test_verdict_first_and_figures_after_it(tmp_path: Path, passing: dict[str, Any]) -> None:
    private, release = pages(judged(tmp_path, passing))
    for page in (private, release):
        order = [
            "<h1>PASS</h1>",
            "What had to hold",
            "Scores of all models",
            "Attacks",
            "What it cost",
            "What was not tested",
        ]
        places = [page.index(text) for text in order]
        assert places == sorted(places)
        assert "synthetic data" in page and "12.3 CPU seconds" in page and "119 seconds" in page
    assert "to be answered by 2026-02-28" in private and "data:image/png;base64," in private
    assert "data:image" not in release and "r-1" not in release and "erasure_request" not in release
    assert "secret" not in private + release


def test_the_release_page_is_the_same_without_what_is_private(tmp_path: Path, passing: dict[str, Any]) -> None:
    private, release = pages(judged(tmp_path, passing))
    kept = [line for line in release.splitlines() if line not in private.splitlines()]
    assert len(kept) <= 1 and all("not named on this page" in line for line in kept)


def test_what_comes_back_under_attack_is_shown(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = judged(tmp_path, passing)
    assert all("<h2>What comes back</h2>" not in page for page in pages(run))
    found = json.loads(run.folder.metrics.read_text())
    entry = {"dice_before": 0.834, "dice": 0.913, "recovered_dice": 0.531, "recovered_score": None}
    found["recovery"] = {"student": {"fine_tuned_20": entry, "relearned_5": None}, "fold_teacher": {}}
    write_json(run.folder.metrics, found)
    Report(folder=run.folder, synthetic=True).write()
    cells = "".join(f"<td>{cell}</td>" for cell in ("fine tuned 20", "student", "0.834", "0.913", "0.531", "-"))
    for page in pages(run):
        assert f"<tr>{cells}</tr>" in page and "relearned" not in page


@pytest.mark.parametrize(("sooner", "said"), [(True, "something is left in the weights"), (False, "Much sooner would")])
def test_what_is_relearnt_sooner_is_said(tmp_path: Path, passing: dict[str, Any], sooner: bool, said: str) -> None:
    pool = copy.deepcopy(passing)
    curves = pool["relearning"]["curves"]
    if sooner:
        curves["unlearned"] = [[first, 5.0, 6.0] for first, *_ in curves["unlearned"]]
    _, page = pages(judged(tmp_path, pool))
    assert said in page and page.index("<h2>Relearning</h2>") < page.index(said)


def test_groups_bear_agreed_names_or_numbers(tmp_path: Path, passing: dict[str, Any]) -> None:
    pool = copy.deepcopy(passing)
    texts = ["ward of Dr. Example"] * 10 + [HOSTILE] * 10 + ["Lower_Extremity"] * 10
    pool["sets"]["validation"]["groups"] = {"site": texts, "sex": ["F", "M", "female"] * 10}
    run = judged(tmp_path, pool)
    for page in pages(run):
        rows = [f"<td>{name}</td>" for name in ("site 1", "site 2", "site lower extremity", "sex female", "sex male")]
        assert "Group by group" in page and all(row in page for row in rows)
    for path in run.folder.release.rglob("*"):
        assert path.is_dir() or all(text.encode() not in path.read_bytes() for text in (*texts[:11:10], "alert(1)"))
    key = json.loads((run.folder.private / "groups.json").read_text())
    assert key == {"site": {"1": HOSTILE, "2": "ward of Dr. Example"}}


@pytest.mark.parametrize("kept", [1.0, -1.0])
def test_a_failure_says_that_it_must_not_be_released(tmp_path: Path, kept: float) -> None:
    _, page = pages(judged(tmp_path, pool_of(simulated(seed=2, kept=kept))))
    assert "must not be released as unlearned" in page and 'class="verdict FAIL"' in page


def test_evidence_that_could_not_be_computed_still_has_a_page(tmp_path: Path, passing: dict[str, Any]) -> None:
    pool = {**passing, "models": {kind: found[:3] for kind, found in passing["models"].items()}}
    _, page = pages(judged(tmp_path, pool))
    assert "<h1>INCONCLUSIVE</h1>" in page and "<svg" not in page and "No check could be made" in page


def test_equal_runs_have_equal_pages(tmp_path: Path, passing: dict[str, Any]) -> None:
    first, second = (pages(judged(tmp_path / name, passing)) for name in ("one", "other"))
    assert first == second


def test_interval_of_the_fraction_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        o, u, r = (level + 0.05 * rng.standard_normal(8) for level in (1.0, 0.2, 0.0))
        low, high = fraction_interval({"original": o, "unlearned": u, "retrained": r})  # type: ignore[misc]
        hits += low <= 0.8 <= high
    assert 0.9 * 300 <= hits <= 0.99 * 300 and fraction_interval({}) is None


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    assert found, "no Chromium, in which the report is tested; Debian and Ubuntu: apt-get install chromium"
    with sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=found[0], args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_shown_whole_on_any_screen_without_a_request_or_an_error(
    browser: Any, tmp_path: Path, passing: dict[str, Any], width: int, scheme: str
) -> None:
    run = judged(tmp_path, passing, ground=HOSTILE)
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    told: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    address = (run.folder.private / "report.html").as_uri()
    page.goto(address)
    assert told == [] and [url for url in asked if not url.startswith("data:")] == [address]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.title() == "Verdict: PASS" and HOSTILE in page.inner_text("header")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert ink == page.evaluate("getComputedStyle(document.body).color")
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    page.close()
