"""Statistics against published values, exact enumeration and simulation."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.quality.statistics import (
    Z_ONE_SIDED,
    Cluster,
    Paired,
    bootstrap,
    detectable_loss,
    holm,
    mcnemar,
    newcombe,
    separation,
    sequential,
    wilson,
)


def test_wilson_gives_the_published_interval() -> None:
    """81 of 263: 25.53 to 36.62 % (Newcombe 1998, table I, method 3); 0 of 20 ends at 16.11 %."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_newcombe_gives_the_published_interval() -> None:
    """A paired example of Newcombe 1998 (Statistics in Medicine 17:2635), method 10."""
    assert newcombe(Paired(36, 12, 2, 0)) == pytest.approx((0.0569, 0.3404), abs=1e-4)


@pytest.mark.parametrize(("psi", "loss"), [(0.05, 0.0), (0.10, 0.05), (0.20, 0.10)])
def test_newcombe_covers_the_truth(psi: float, loss: float) -> None:
    """In 2,000 simulated sets of 120 questions the 95 % interval holds the true loss in 93 to 98.5 %."""
    chance, held = random.Random(5), 0
    worse, better = (psi + loss) / 2, (psi - loss) / 2
    for _ in range(2000):
        kinds = [chance.random() for _ in range(120)]
        b = sum(one < worse for one in kinds)
        c = sum(worse <= one < worse + better for one in kinds)
        both = sum(worse + better <= one < worse + better + 0.6 for one in kinds)
        low, high = newcombe(Paired(both, b, c, 120 - both - b - c))
        held += low <= loss <= high
    assert 0.93 <= held / 2000 <= 0.985


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_counts_coins(worse: int, better: int) -> None:
    """The p-value is the share of coin sequences with at least as many losses."""
    flips = worse + better
    exact = sum(math.comb(flips, k) for k in range(worse, flips + 1)) / 2**flips
    assert mcnemar(worse, better) == pytest.approx(exact)
    assert mcnemar(0, better) == 1


def test_six_flips_one_way_are_the_least_for_two_sides() -> None:
    """Five one-sided, six two-sided: the smallest numbers that reach 5 %."""
    assert mcnemar(4, 0) > 0.05 >= mcnemar(5, 0)
    assert 2 * mcnemar(5, 0) > 0.05 >= 2 * mcnemar(6, 0)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_lies_between_nothing_and_bonferroni(p_values: list[float]) -> None:
    """Adjusted values keep their order, are never below the plain ones and never above Bonferroni's."""
    adjusted = holm(p_values)
    for plain, new in zip(p_values, adjusted, strict=True):
        assert plain <= new <= min(1.0, len(p_values) * plain) or new == max(adjusted)
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_holm_example() -> None:
    """The textbook example: 0.01, 0.04, 0.03 become 0.03, 0.06, 0.06."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))


@pytest.mark.parametrize(
    ("asked", "psi", "points"), [(120, 0.06, 5.5), (120, 0.10, 7.1), (240, 0.10, 5.1), (480, 0.20, 5.1)]
)
def test_detectable_loss_matches_the_planning_table(asked: int, psi: float, points: float) -> None:
    """Points of loss found with 80 % power, as tabulated when the set was planned."""
    found = detectable_loss(asked, psi)
    assert found is not None
    assert 100 * found == pytest.approx(points, abs=0.06)


def test_thirteen_questions_detect_nothing() -> None:
    """With one answer in ten differing, no loss at all is found: that is why there are 240."""
    assert detectable_loss(13, 0.10) is None


def test_sequential_test_keeps_its_promises() -> None:
    """Seven losses in a row stop it; no difference is called a loss in at most 5.5 %, nine in ten in 95 % or more."""
    assert [sequential([True] * count) for count in (6, 7)] == ["open", "worse"]
    assert sequential([False] * 3) == "no worse"
    chance = random.Random(3)

    def share(true_share: float) -> float:
        runs = [sequential([chance.random() < true_share for _ in range(200)]) for _ in range(2000)]
        return runs.count("worse") / len(runs)

    assert share(0.5) <= 0.055
    assert share(0.9) >= 0.95


def test_bootstrap_of_equal_texts_is_a_point_and_wider_for_unequal_ones() -> None:
    """Equal ratios leave nothing to draw; below five texts there is no interval."""
    assert bootstrap([Cluster(4.0, 40)] * 10) == pytest.approx((0.1, 0.1))
    low, high = bootstrap([Cluster(float(total), 40) for total in range(10)]) or (0, 0)
    assert low < 4.5 / 40 < high
    assert bootstrap([Cluster(1.0, 40)] * 4) is None


def test_separation_tells_larger_from_equal() -> None:
    """Twice the divergence on every text is certain, the same divergence is not."""
    chance = random.Random(1)
    one = [Cluster(chance.expovariate(1.0), 40) for _ in range(32)]
    assert separation(one, [Cluster(2 * text.total, 40) for text in one]) < 0.001
    assert separation(one, one) == 1
    assert separation([Cluster(2 * text.total, 40) for text in one], one) > 0.99


def test_one_sided_bound_lies_inside_the_two_sided_interval() -> None:
    """The bound that rates a loss uses the smaller factor."""
    pairs = Paired(180, 10, 6, 44)
    assert newcombe(pairs, Z_ONE_SIDED)[1] < newcombe(pairs)[1]


def test_a_share_of_nothing_is_refused() -> None:
    """No trials have no interval."""
    with pytest.raises(ValueError, match="a share of nothing"):
        wilson(0, 0)
