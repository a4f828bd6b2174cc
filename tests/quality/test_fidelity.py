"""Divergence and agreement against their definitions on made-up distributions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtester.analysis.quality import fidelity
from llmtester.analysis.quality.fidelity import agrees, compare, compare_text, truncated_kl
from llmtester.analysis.quality.preflight import problems
from llmtester.analysis.summary import Estimate, Fidelity
from llmtester.domain.errors import RequestFailure
from llmtester.domain.logprobs import Position, pack
from llmtester.domain.records import Absent, Sample
from tests.worlds import sample

WEIGHTS = st.lists(st.floats(0.001, 1), min_size=3, max_size=80)


def position(weights: list[float], listed: int = 60, token: int = 0) -> Position:
    total = sum(weights)
    ranked = sorted(range(len(weights)), key=lambda index: -weights[index])
    top = tuple((index, math.log(weights[index] / total)) for index in ranked[:listed])
    return Position(token, math.log(weights[token] / total), top)


@given(st.integers(3, 80).flatmap(lambda n: st.tuples(*[st.lists(st.floats(0.001, 1), min_size=n, max_size=n)] * 2)))
def test_truncated_divergence_is_a_lower_bound(both: tuple[list[float], list[float]]) -> None:
    """Never above the full divergence, never negative, nothing for the same distribution."""
    p, q = both
    full = sum(a / sum(p) * math.log((a / sum(p)) / (b / sum(q))) for a, b in zip(p, q, strict=True))
    found = truncated_kl(position(p), position(q))
    assert 0 <= found <= full + 1e-9
    assert truncated_kl(position(p), position(p)) == pytest.approx(0, abs=1e-12)


@given(
    st.integers(3, 80).flatmap(lambda n: st.tuples(*[st.lists(st.floats(0.001, 1), min_size=n, max_size=n)] * 2)),
    st.integers(1, 10),
)
def test_short_lists_of_the_candidate_stay_below_too(both: tuple[list[float], list[float]], listed: int) -> None:
    """Whatever the candidate leaves out of its list, the bound that is put in its place is no overestimate."""
    p, q = both
    full = sum(a / sum(p) * math.log((a / sum(p)) / (b / sum(q))) for a, b in zip(p, q, strict=True))
    assert 0 <= truncated_kl(position(p), position(q, listed)) <= full + 1e-9


def test_a_ruined_candidate_diverges_more_than_a_damaged_one() -> None:
    """A list without a single token of the reference is worse than one with all of them in another order."""
    told = position([2.0**-rank for rank in range(80)])
    damaged = position([2.0 ** -abs(rank - 6) for rank in range(80)])
    ruined = position([2.0 ** (rank - 80) for rank in range(80)], listed=30)
    assert truncated_kl(told, ruined) > truncated_kl(told, damaged) > 1


def test_short_lists_give_the_full_divergence() -> None:
    """With every token listed nothing is cut off."""
    p, q = [0.7, 0.2, 0.1], [0.5, 0.3, 0.2]
    full = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert truncated_kl(position(p), position(q)) == pytest.approx(full)


def test_ties_agree_and_other_leaders_do_not() -> None:
    """A leader that is ahead by less than the rounding of the server is no disagreement."""
    told = Position(0, -1.0, ((0, -1.0), (1, -1.2)))
    assert agrees(told, Position(0, -1.0, ((1, -0.9999), (0, -1.0))))
    assert not agrees(told, Position(0, -1.0, ((1, -0.9), (0, -1.0))))
    assert not agrees(told, Position(0, -9.0, ((1, -0.1),)))


def text(name: str, *positions: Position) -> tuple[str, Sample]:
    return name, sample(request_id=name, logprobs=pack(positions), text=" a b", prompt_tok=9)


def test_texts_that_followed_other_tokens_are_left_out() -> None:
    """A server that went its own way proves nothing; a shorter answer is compared as far as it goes."""
    one, other = position([0.6, 0.4]), position([0.6, 0.4], token=1)
    assert compare_text("chat", pack([one, one]), pack([other, one])) is None
    assert compare_text("chat", pack([one, one]), "") is None
    shorter = compare_text("chat", pack([one, other]), pack([one]))
    assert shorter is not None
    assert (shorter.count, shorter.agreeing_count) == (1, 1)


def test_measuring_texts() -> None:
    """Means weigh places, intervals need five texts, kinds are told apart and noise is noticed."""
    sharp, flat = position([0.8, 0.2]), position([0.6, 0.4])
    told = dict(text(f"{kind}.{n}", sharp, sharp) for kind in ("chat", "code") for n in range(3))
    other = dict(
        text(f"{kind}.{n}", sharp if kind == "chat" else flat, sharp) for kind in ("chat", "code") for n in range(3)
    )
    texts = compare(told, other)
    found = fidelity.measure(texts, texts[:1])
    assert isinstance(found, Fidelity)
    once = 0.8 * math.log(0.8 / 0.6) + 0.2 * math.log(0.2 / 0.4)
    assert found.kl_nats.value == pytest.approx(once / 4, rel=1e-5)
    assert found.kl_nats.low is not None
    assert found.kl_nats_by_kind == {"chat": pytest.approx(0), "code": pytest.approx(once / 2, rel=1e-5)}
    assert found.perplexity_ratio.value == pytest.approx((0.8 / 0.6) ** 0.25, rel=1e-5)
    assert (found.positions_count, found.agreement_ratio.value, found.within_noise) == (12, 1.0, False)
    itself = fidelity.measure(texts, texts)
    assert isinstance(itself, Fidelity)
    assert itself.within_noise
    assert isinstance(itself.floor_kl_nats, Estimate)
    assert isinstance(fidelity.measure([], []), Absent)


def test_preflight_names_another_template_vocabulary_or_refusal() -> None:
    """Longer prompts, other spelling and refused tokens each stop the comparison with a reason."""
    here = position([0.6, 0.4])
    told = dict(text(f"chat.{n}", here) for n in range(4))
    assert problems(told, told) == ()
    longer = {name: replace(one, prompt_tok=12) for name, one in told.items()}
    assert "chat template or tokenizer" in problems(told, longer)[0]
    spelled = {name: replace(one, text="xyz") for name, one in told.items()}
    assert "vocabulary" in problems(told, spelled)[0]
    lost = {
        name: replace(one, failure=RequestFailure.MALFORMED, failure_detail="left the tokens")
        for name, one in told.items()
    }
    assert "left the tokens" in problems(told, lost)[0]


def test_without_a_list_there_is_no_agreement() -> None:
    """A server that told no probabilities is not taken for one that agrees."""
    told, mute = position([0.6, 0.4]), Position(0, -0.5, ())
    assert agrees(told, told)
    assert not agrees(told, mute)
    assert not agrees(mute, told)
