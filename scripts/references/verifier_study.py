"""`run verifier_study`: how often the verifier says what of models whose truth is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from scripts.cohort import Cohort
from scripts.errors import InputError, require_positive
from scripts.files import read_json, reading, write_json
from scripts.record.run_folder import RunFolder
from scripts.record.scored import numbers
from scripts.references.controls import WANTED, Controls
from scripts.references.jobs import Job, run_jobs
from scripts.references.pairs import Pairs
from scripts.references.scoring import Scoring
from scripts.verify.contrasts import LEAST_PAIRS
from scripts.verify.rates import clopper_pearson, disjoint_blocks, pool_rate
from scripts.verify.scores import ModelScores, RequestScores
from scripts.verify.verdict import Verdict, decide

PATTERNS = ("pattern", "pattern_of_answers")
OUTCOMES = ("PASS", "FAIL-under", "FAIL-over", "INCONCLUSIVE", "NO-MEASURABLE-INFLUENCE")


class VerifierStudy:
    """Makes `blocks * pairs` pairs and every control, judges each block, writes `release/verifier.json`.

    Args:
        procedure: how the models of the pool are made.
        pairs: J of a block.
        blocks: that share no pair.
        controls: which; see `WANTED`.
    """

    def __init__(
        self,
        *,
        procedure: Pairs,
        cohort: Cohort,
        folder: RunFolder,
        scoring: Scoring,
        pairs: int = 8,
        blocks: int = 1,
        controls: Sequence[str] = tuple(WANTED),
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        require_positive(study_blocks=blocks, reference_workers=workers)
        if int(pairs) < LEAST_PAIRS:
            raise InputError(f"study_pairs: {pairs} are too few; at least {LEAST_PAIRS}")
        unknown = sorted(set(controls) - set(WANTED))
        if unknown:
            raise InputError(f"study_controls: '{unknown[0]}' is not one of {', '.join(WANTED)}")
        if cohort.resolution["data_set"] != "phantom":
            raise InputError(f"dataset_name: '{cohort.resolution['data_set']}': truth is known for 'phantom' only")
        self.folder, self.scoring, self.size, self.blocks = folder, scoring, int(pairs), int(blocks)
        self.workers, self.backend = int(workers), backend
        self.pairs = procedure
        made = Controls(pairs=self.pairs, cohort=cohort, count=1000).jobs()
        self.controls = {name: made[name] for name in WANTED if name in set(controls)}

    @property
    def count(self) -> int:
        """Pairs in all."""
        return self.size * self.blocks

    def run(self) -> None:
        """Make, score, judge; written block after block, so that an interrupted study can be read as far as it came."""
        self.pairs.make_folder()
        for pair in range(self.count):
            twins = [self.pairs.original(pair), self.pairs.retrained(pair)]
            run_jobs(twins, workers=self.workers, backend=self.backend)
            own = [job(pair) for job in self.controls.values()]
            run_jobs(_distinct(own), workers=self.workers, backend=self.backend)
            print(f"verifier study: pair {pair + 1} of {self.count}", flush=True)
            if (pair + 1) % self.size == 0:  # rates of drawn blocks take minutes
                self._write(pair + 1)
        self._show()

    def _write(self, count: int) -> None:
        original = [self._scores(self.pairs.original(pair)) for pair in range(count)]
        retrained = [self._scores(self.pairs.retrained(pair)) for pair in range(count)]
        table = {}
        for name, job in self.controls.items():
            unlearned = [self._scores(job(pair)) for pair in range(count)]
            table[name] = self._rates(name, original, unlearned, retrained)
        write_json(self.folder.release / "verifier.json", {"pairs": count, "block": self.size, "controls": table})

    def _rates(
        self,
        name: str,
        original: list[ModelScores],
        unlearned: list[ModelScores],
        retrained: list[ModelScores],
    ) -> dict[str, Any]:
        """Outcomes of disjoint blocks with exact intervals, and of blocks drawn from the pool."""

        def verdict(block: Sequence[int]) -> Verdict:
            return self._judge(*([models[pair] for pair in block] for models in (original, unlearned, retrained)))

        blocks = disjoint_blocks(len(original), self.size)
        found = [verdict(block) for block in blocks]
        counts = Counter(one.outcome for one in found)
        # A small pool gives the same blocks again and again; only which model is the delivered one makes them differ.
        passed = cache(lambda first, others: verdict([first, *sorted(others)]).outcome == "PASS")
        drawn = pool_rate(lambda block: passed(block[0], frozenset(block[1:])), pairs=len(original), size=self.size)
        return {
            "wanted": WANTED[name],
            "outcomes": {
                outcome: {"count": counts[outcome], **asdict(clopper_pearson(counts[outcome], len(blocks)))}
                for outcome in OUTCOMES
            },
            "pass_rate_of_drawn_blocks": asdict(drawn),
            "reasons": [one.reason for one in found],
            "evidence": [
                {key: one.evidence.get(key) for key in ("gap_over_sigma", "rho", "forgotten_fraction", *PATTERNS)}
                for one in found
            ],
        }

    def _judge(
        self, original: list[ModelScores], unlearned: list[ModelScores], retrained: list[ModelScores]
    ) -> Verdict:
        """The decision of `verify`; the block's first model stands for the one that would be delivered."""
        sets = self.scoring.images()
        scores = RequestScores(
            patients=numbers(sets["forget"]["patients"]),
            validation_patients=numbers(sets["validation"]["patients"]),
            original=original,
            unlearned=unlearned,
            retrained=retrained,
            delivered=unlearned[0],
            teacher=original[0],
        )
        return decide(scores)

    def _scores(self, job: Job) -> ModelScores:
        """Scored once, kept beside the model."""
        path = job.folder / f"answers_{self.pairs.forget_key[:16]}.json"
        if not path.is_file():
            values = self.scoring.model(job.weights)
            own = {name: values[name]["score"] for name in ("forget", "validation")}
            write_json(path, own | {"answers": values["answers"]})
        remedy = "remove it and run the study again"
        found = read_json(path, remedy=remedy)
        with reading(path, remedy=remedy):
            return ModelScores.of(found["forget"], found["validation"], found["answers"])

    def _show(self) -> None:
        found = read_json(self.folder.release / "verifier.json", remedy="run the study again")
        print(f"{'control':14} " + " ".join(f"{outcome:>12}" for outcome in OUTCOMES) + "   PASS of drawn blocks")
        for name, row in found["controls"].items():
            counts = " ".join(f"{row['outcomes'][outcome]['count']:>12}" for outcome in OUTCOMES)
            drawn = row["pass_rate_of_drawn_blocks"]
            print(f"{name:14} {counts}   {drawn['value']:.2f} ({drawn['low']:.2f}-{drawn['high']:.2f})")


def _distinct(jobs: Sequence[Job]) -> list[Job]:
    return list({job.folder: job for job in jobs}.values())
