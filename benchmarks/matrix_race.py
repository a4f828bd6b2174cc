"""What the race saves and what it costs: simulated matrices against measuring everything, in virtual time.

Each matrix has eight configurations, and is run twice on a machine with noise, outliers, heat and starts that differ:
with the race, and exhaustively with ten trials a cell. Four kinds of matrices, in equal parts: the quantizations of one
model, two models, four models, and eight settings of one file, which is a race about speed alone.
"""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import replace

from tests.worlds import LENS, Weather, World

from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Estimate, Summary
from llmtester.domain.events import TrialEnded
from llmtester.domain.work import Cell, Load, Plan, ServerSettings, Target
from llmtester.engines.fake import FakeEngine

MATRICES = 300
SAME_LIMIT, TRIALS_LIMIT = 0.98, 0.35
CELL = Load("short", prompt_tok=64, output_tok=24)
VISIT_TRIALS = 2
QUANTS = (
    ("Q2_K", 3.0),
    ("Q3_K_M", 3.9),
    ("Q4_0", 4.5),
    ("Q4_K_M", 4.9),
    ("Q5_K_M", 5.7),
    ("Q6_K", 6.6),
    ("Q8_0", 8.5),
    ("F16", 16.0),
)
SIZES_B = (0.5, 1.5, 3.0, 8.0)
SETTINGS_RATIOS = (1.0, 0.985, 0.95, 0.92, 0.85, 0.75, 0.6, 0.45)
"""True speeds of the settings of one file, as in facts/measuring.md, section 3."""

NOISE, OUTLIERS = 0.03, 0.03
WEATHER = Weather(drift_ratio=0.05, drift_s=200.0, launch_sd=0.008)


def _shape(kind: int, chance: random.Random) -> list[tuple[str, float, float, str, float]]:
    """Name, billions of weights, bits a weight, quantization and true tok/s of eight configurations."""
    bandwidth = log_uniform(chance, 12e9, 300e9)
    if kind == 3:
        size, speed = chance.choice(SIZES_B), log_uniform(chance, 6, 90)
        ratios = list(SETTINGS_RATIOS)
        chance.shuffle(ratios)
        return [(f"m{size}", size, 4.9, f"set{place}", speed * ratio) for place, ratio in enumerate(ratios)]
    models = {0: (chance.choice(SIZES_B),), 1: chance.sample(SIZES_B, 2), 2: SIZES_B}[kind]
    quants = QUANTS if kind == 0 else sorted(chance.sample(QUANTS, 8 // len(models)), key=lambda one: one[1])
    found = []
    for size in models:
        for quantization, bits in quants:
            speed = bandwidth / (size * 1e9 * bits / 8) * log_uniform(chance, 0.85, 1.0)
            found.append((f"m{size}", size, bits, quantization, min(speed, 400.0)))
    return found


def log_uniform(chance: random.Random, low: float, high: float) -> float:
    return float(low * (high / low) ** chance.random())


def matrix(number: int) -> Plan:
    """The exhaustive plan of one simulated matrix, in the order in which a person's matrix would be measured."""
    chance = random.Random(number)
    compute = log_uniform(chance, 0.1e12, 5e12)
    cells = []
    for place, (name, size, bits, quantization, speed) in enumerate(_shape(number % 4, chance)):
        ttft_ms = 20 + 64 * 2 * size * 1e9 / compute * 1e3
        script = (
            f"{name}?ttft_ms={ttft_ms:.1f}&decode_tok_per_s={speed:.4f}&noise={NOISE}&outliers={OUTLIERS}"
            f"&load_ms={300 + size * bits * 60:.0f}&seed={number * 100 + place}&realtime=0:{quantization}"
        )
        (ref,) = FakeEngine().catalogue([script])
        ref = replace(
            ref, parameters_count=int(size * 1e9), bits_per_weight=bits, size_bytes=int(size * bits / 8 * 1e9)
        )
        cells.append(Cell(Target("fake", ref, ServerSettings()), "interactive", CELL))
    cells.sort(key=lambda cell: (abs((cell.target.model.bits_per_weight or 0) - 4.9), cell.target.model.size_bytes))
    return Plan(tuple(cells), seed=number)


def _run(plan: Plan, number: int) -> tuple[Summary, int, float]:
    """What a run says, its measured trials, and its seconds of virtual time."""
    world = World(replace(WEATHER, seed=number))
    state, _ = world.run(plan)
    trials = sum(isinstance(event, TrialEnded) and not event.warmup for event in world.events)
    return summarise(state, LENS), trials, state.elapsed_s


def exhaustive(plan: Plan) -> Plan:
    """The same plan with as many trials as allowed for every cell, one server start each."""
    full = tuple(replace(cell, load=replace(cell.load, min_trials=cell.load.max_trials)) for cell in plan.cells)
    return replace(plan, cells=full, visit_trials=None)


def agree(one: Summary, other: Summary) -> bool:
    """Whether two runs give the same advice: the same winner, each other's as a tie, or one winner lies so near a limit
    that its interval holds it and the advice names the other as what comes next or would be the choice."""
    first, second = one.advice[0], other.advice[0]
    if first.winner == second.winner or first.winner in second.ties or second.winner in first.ties:
        return True
    return _on_a_limit(one, second.winner) or _on_a_limit(other, first.winner)


def _on_a_limit(said: Summary, other: str | None) -> bool:
    advice = said.advice[0]
    label = next((target.model.label for target in said.targets if target.key == other), None)
    if label is None or not any(label in change for change in advice.changes):
        return False
    cells = [cell for cell in said.cells if cell.target in {advice.winner, other}]
    return any(
        isinstance(value := cell.metrics[name], Estimate)
        and value.low is not None
        and value.high is not None
        and any(value.low <= limit <= value.high for limit in limits)
        for cell in cells
        for name, limits in LENS.bands.items()
        if name in LENS.headlines["interactive"]
    )


def simulate(numbers: Sequence[int], visit_trials: int = VISIT_TRIALS) -> list[dict[str, float]]:
    """For each matrix its kind, whether the advice was the same, and the share of trials and of time that it took."""
    found = []
    for number in numbers:
        plan = matrix(number)
        full, full_trials, full_s = _run(exhaustive(plan), number)
        raced, trials, raced_s = _run(replace(plan, visit_trials=visit_trials), number)
        same = agree(raced, full)
        winners = (raced.advice[0].winner, full.advice[0].winner)
        found.append(
            {
                "kind": number % 4,
                "same": same,
                "same_winner": winners[0] == winners[1],
                "trials_ratio": trials / full_trials,
                "time_ratio": raced_s / full_s,
            }
        )
    return found


def run() -> dict[str, object]:
    """Shares over all simulated matrices, and of each kind."""
    found = simulate(range(MATRICES))
    same_ratio = statistics.mean(one["same"] for one in found)
    trials_ratio = statistics.mean(one["trials_ratio"] for one in found)
    return {
        "name": "matrix_race",
        "promise": f"same advice in {SAME_LIMIT:.0%} of {MATRICES} matrices for {TRIALS_LIMIT:.0%} of the trials",
        "measured": trials_ratio,
        "limit": TRIALS_LIMIT,
        "unit": "of exhaustive",
        "passed": same_ratio >= SAME_LIMIT and trials_ratio <= TRIALS_LIMIT,
        "same_ratio": same_ratio,
        "same_winner_ratio": statistics.mean(one["same_winner"] for one in found),
        "time_ratio": statistics.mean(one["time_ratio"] for one in found),
        "kinds": {
            name: {
                key: statistics.mean(one[key] for one in found if one["kind"] == kind)
                for key in ("same", "trials_ratio", "time_ratio")
            }
            for kind, name in enumerate(("one model", "two models", "four models", "settings of one file"))
        },
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
