"""What would change an advice, with the numbers at which it would: how far the winner is from its limits."""

from __future__ import annotations

from collections.abc import Iterator

from llmtester.analysis.advice_ranking import LEVELS_GOOD_ENOUGH
from llmtester.analysis.advice_rules import BATCH, INTERACTIVE
from llmtester.analysis.advice_sentences import MEASURE_QUALITY, SENTENCES_LIMIT, Case
from llmtester.analysis.ratings import ORDER
from llmtester.analysis.summary import CellSummary, Estimate
from llmtester.domain.text import counted


def changes(case: Case) -> tuple[str, ...]:
    """What would change the answer, nearest first."""
    return tuple(_changes(case))[:SENTENCES_LIMIT]


def _changes(case: Case) -> Iterator[str]:
    if case.pending:
        cells = counted(len(case.pending), "cell")
        yield f"{cells} of this profile {'is' if len(case.pending) == 1 else 'are'} missing: llmtester run --resume"
    yield from _better_but_slow(case)
    yield from _margin(case)
    if case.winner.contender.quality is None:
        yield f"Nobody checked the answers yet; if they are damaged, another one wins: {MEASURE_QUALITY}"
    if case.stand is not case.use.stands[0]:
        command = f"llmtester run --profiles {','.join(case.use.stands[0].profiles)}"
        yield f"This rests on what stands in for a real measurement, which may say otherwise: {command}"


def _limits(case: Case) -> dict[str, float]:
    """The limits that the winner has to keep to stay on its level, for the metrics that have bands."""
    if not case.enough or case.profile not in {INTERACTIVE, BATCH}:
        return {}
    place = ORDER.index(case.use.good if case.winner.level == 0 else case.use.least)
    return {name: limits[place] for name, limits in case.evidence.bands.items()}


def _headroom(case: Case, cell: CellSummary) -> Iterator[tuple[float, str, float, Estimate]]:
    """For each metric with a limit: how many times the limit is kept, name, limit and value."""
    for name, limit in _limits(case).items():
        value = cell.metrics.get(name)
        if isinstance(value, Estimate) and value.value > 0 and limit > 0:
            yield (limit / value.value if name.endswith("_ms") else value.value / limit), name, limit, value


def near_floor(case: Case) -> bool:
    """Whether the interval of a metric that rates the winner crosses the limit that it has to keep."""
    return any(
        value.low is not None and value.high is not None and value.low < limit < value.high
        for cell in case.own_cells
        for _, _, limit, value in _headroom(case, cell)
    )


def _margin(case: Case) -> Iterator[str]:
    room = [found for cell in case.own_cells for found in _headroom(case, cell)]
    if not room or len(case.ranked) < 2:
        return
    factor, name, limit, value = min(room, key=lambda found: found[0])
    following = case.ranked[1].contender.label
    if factor < 1:
        return
    if name == "decode_tok_per_s":
        yield f"Below {limit:.0f} tok/s (here {value.value:.0f}) the next would take its place: {following}."
    elif name == "ttft_ms":
        yield (
            f"Waiting more than {limit / 1000:.0f} s for the first word (here {value.value / 1000:.1f} s), the next "
            f"would take its place: {following}."
        )
    elif name == "documents_per_hour":
        yield f"Below {limit:.0f} documents an hour (here {value.value:.0f}) it would not be good enough any more."


def _better_but_slow(case: Case) -> Iterator[str]:
    """The nearest more capable file that only its speed holds back, and how much faster a machine it needs."""
    if case.use.order != "capable" or not case.enough:
        return
    mine = case.winner.contender
    found = []
    for one in case.ranked[1:]:
        held_back = case.winner.level < one.level <= LEVELS_GOOD_ENOUGH and not one.contender.doubtful
        if held_back and one.contender.capability > mine.capability:
            cells = one.contender.cells_of(case.profile)
            factor = max((1 / factor for cell in cells for factor, *_ in _headroom(case, cell)), default=0.0)
            if factor > 1:
                found.append((factor, one.contender.label, one.contender.parameters > mine.parameters))
    if found:
        factor, label, larger = min(found)
        why = "it is larger" if larger else "it keeps more of the model"
        yield (
            f"On a machine {factor:.1f} times as fast, {label} would be the choice: {why}, and only its speed is in "
            "the way."
        )
