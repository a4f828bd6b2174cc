"""The promise: a stated 95 % interval holds the truth in 93 to 97 % of runs, although the trials end early.

Whole runs of the real ``MatrixRunner`` on the fake engine in virtual time, 2,000 for each scenario; as far from the
limits of the bands as a fast server is, and, where an early end is harder, at any speed. The truth is what
the formula of the metric would give with infinitely many trials:

- time to first token: the median of the scripted distribution (outliers are one-sided and rare: they move the median
  by less than a tenth of the noise, and that shift is part of the truth);
- writing speed, a ratio of sums: tokens over the mean time, outliers and the mean of log-normal noise included;
- drift: the mean over the trials that the run really made.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

from tests.worlds import World, fake_plan

from llmtester.analysis.metrics import METRICS
from llmtester.analysis.state import CellState
from llmtester.analysis.summary import Estimate
from llmtester.domain.work import Load
from llmtester.engines.fake import OUTLIER_SD

RUNS_COUNT = 2000
LOWEST, HIGHEST = 0.93, 0.97
FIXED_TRIALS = 10
MOST_TRIALS_SHARE = 0.5
LOAD = Load("short", prompt_tok=64, output_tok=16, max_trials=FIXED_TRIALS)
SLOWEST_TOK_PER_S, FASTEST_TOK_PER_S = 4.0, 80.0
WAITS_MS = (200.0, 20_000.0)
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Noise of ln(speed), share of speed lost over ten requests, share of outliers, and what is scripted without them.

    ``anywhere``: the speeds of each run are drawn over all bands, from excellent to poor.
    """

    name: str
    noise: float
    drift: float = 0.0
    outliers: float = 0.0
    ttft_ms: float = 100.0
    decode_tok_per_s: float = 50.0
    anywhere: bool = False

    def of_run(self, seed: int) -> Scenario:
        """What one run is scripted with."""
        if not self.anywhere:
            return self
        chance = random.Random(seed)
        slow, fast = math.log(SLOWEST_TOK_PER_S), math.log(FASTEST_TOK_PER_S)
        speed, wait = math.exp(chance.uniform(slow, fast)), math.exp(chance.uniform(*map(math.log, WAITS_MS)))
        return replace(self, decode_tok_per_s=speed, ttft_ms=wait, anywhere=False)

    def script(self, seed: int) -> str:
        return (
            f"m?ttft_ms={self.ttft_ms}&decode_tok_per_s={self.decode_tok_per_s}&realtime=0&seed={seed}&noise={self.noise}"
            f"&drift_ratio={self.drift}&drift_requests={FIXED_TRIALS}&outliers={self.outliers}"
        )

    def truths(self, trials: Sequence[int]) -> dict[str, float]:
        """By metric, for a run that made these trials after one warm-up."""
        speeds = [1 - self.drift * min(1.0, (number + 1) / FIXED_TRIALS) for number in trials]
        typical_ln = sum(-math.log(speed) for speed in speeds) / len(speeds)
        mean = sum(1 / speed for speed in speeds) / len(speeds) * math.exp(self.noise**2 / 2)
        mean *= 1 - self.outliers + self.outliers * 2 * math.exp(OUTLIER_SD**2 / 2) * NORMAL.cdf(OUTLIER_SD)
        return {
            "ttft_ms": self.ttft_ms * math.exp(typical_ln + median_shift(self.noise, self.outliers)),
            "decode_tok_per_s": self.decode_tok_per_s / mean,
        }


@lru_cache
def median_shift(noise: float, outliers: float) -> float:
    """Where the distribution of ln(time) with its outliers has its middle, by bisection."""
    if not noise or not outliers:
        return 0.0
    low, high = 0.0, noise
    for _ in range(50):
        middle = (low + high) / 2
        below = (1 - outliers) * NORMAL.cdf(middle / noise) + outliers * _outlier_below(middle, noise)
        low, high = (middle, high) if below < 0.5 else (low, middle)
    return low


def _outlier_below(limit: float, noise: float, steps: int = 200) -> float:
    """P(noise + |N(0, OUTLIER_SD)| < limit), by the midpoint rule over the quantiles of the second term."""
    late = (OUTLIER_SD * NORMAL.inv_cdf(0.5 + (step + 0.5) / steps / 2) for step in range(steps))
    return sum(NORMAL.cdf((limit - one) / noise) for one in late) / steps


SCENARIOS = (
    Scenario("1 % noise", 0.01),
    Scenario("3 % noise", 0.03),
    Scenario("10 % noise", 0.10),
    Scenario("3 % noise, 5 % drift", 0.03, drift=0.05),
    Scenario("10 % noise, 5 % drift", 0.10, drift=0.05),
    Scenario("3 % noise, 2 % outliers", 0.03, outliers=0.02),
    Scenario("10 % noise, 2 % outliers", 0.10, outliers=0.02),
)
ANYWHERE = (
    Scenario("3 % noise, any speed", 0.03, anywhere=True),
    Scenario("10 % noise, any speed", 0.10, anywhere=True),
)


def measure(scenario: Scenario, runs_count: int = RUNS_COUNT) -> dict[str, float]:
    """Shares of runs whose interval holds the truth by metric, and the mean number of trials (``trials``)."""
    held: Counter[str] = Counter()
    trials = 0
    for seed in range(runs_count):
        scripted = scenario.of_run(seed)
        cell = measured_cell(scripted, seed)
        trials += len(cell.trials)
        for name, truth in scripted.truths([trial.number for trial in cell.trials]).items():
            found = METRICS[name].of_cell(cell)
            if isinstance(found, Estimate) and found.low is not None and found.high is not None:
                held[name] += found.low <= truth <= found.high
    shares = {name: held[name] / runs_count for name in scenario.truths([0])}
    return {**shares, "trials": trials / runs_count}


def measured_cell(scenario: Scenario, seed: int) -> CellState:
    """The only cell of one run of the real runner."""
    plan = fake_plan(scenario.script(seed), loads=(LOAD,))
    state, _ = World().run(replace(plan, visit_trials=LOAD.min_trials))
    (cell,) = state.cells.values()
    return replace(cell)


def run() -> dict[str, object]:
    """The share that is furthest from 95 %, with every scenario and the trials that it took.

    At any speed the number of trials is shown and has no limit: near one, more of them are what an honest word costs.
    """
    found = {scenario.name: measure(scenario) for scenario in (*SCENARIOS, *ANYWHERE)}
    shares = [share for one in found.values() for name, share in one.items() if name != "trials"]
    worst = max(shares, key=lambda share: abs(share - 0.95))
    saved = all(found[scenario.name]["trials"] / FIXED_TRIALS <= MOST_TRIALS_SHARE for scenario in SCENARIOS)
    return {
        "name": "statistics_coverage",
        "promise": f"95 % intervals hold the truth in 93-97 % of {RUNS_COUNT:,} runs, with half of 10 trials at most",
        "measured": worst,
        "limit": f"{LOWEST}-{HIGHEST}",
        "unit": "of runs",
        "passed": all(LOWEST <= share <= HIGHEST for share in shares) and saved,
        "scenarios": found,
    }


if __name__ == "__main__":
    measured = run()
    print(json.dumps(measured, indent=2))
    sys.exit(0 if measured["passed"] else 4)
