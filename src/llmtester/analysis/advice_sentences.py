"""Advice in words that a person who knows nothing about models can act on. Labels in them are untrusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from llmtester.analysis.advice_ranking import Evidence, Judged, peers
from llmtester.analysis.advice_rules import INTERACTIVE, KINDS, MEMORY_ALERT_RATIO, QUALITY, Stand, Use
from llmtester.analysis.contenders import Contender
from llmtester.analysis.ratings import TOK_PER_WORD
from llmtester.analysis.serving import PLAYED_ENGINE
from llmtester.analysis.summary import CategoryResult, CellSummary, Estimate, QualitySummary, Tasks
from llmtester.domain.text import human_bytes

NAMES_LIMIT = 3
SENTENCES_LIMIT = 4

SUSTAINED_RATIO = 0.9
"""Below this share of the first minute's speed, continuous work is named as a caution."""

MEASURE_QUALITY = f"llmtester run --profiles {QUALITY}"


@dataclass(frozen=True, slots=True)
class Case:
    """All that one advice is told from. ``ranked`` is never empty; ``equals`` are the ties of its first."""

    use: Use
    stand: Stand
    ranked: Sequence[Judged]
    equals: Sequence[Judged]
    every: Sequence[Contender]
    evidence: Evidence
    enough: bool

    @property
    def winner(self) -> Judged:
        return self.ranked[0]

    @property
    def profile(self) -> str:
        return self.stand.profiles[0]

    @property
    def own_cells(self) -> tuple[CellSummary, ...]:
        return self.winner.contender.cells_of(self.profile)

    @property
    def pending(self) -> list[CellSummary]:
        """Cells of the profile that a resumed run would still measure."""
        cells = (cell for one in self.every for cell in one.cells_of(self.profile))
        return [cell for cell in cells if cell.status in {"pending", "partial"}]


def verdict(case: Case) -> str:
    """The answer in one sentence."""
    label = case.winner.contender.label
    if not case.enough:
        return (
            f"None of these models is good enough for {case.use.name} on this machine; {label} comes closest."
            if not case.winner.contender.damaged
            else f"None of these models is good enough for {case.use.name}: the answers of {label} are damaged too."
        )
    names = [label, *(tie.contender.label for tie in case.equals)]
    shown = " or ".join(names[:NAMES_LIMIT]) + (f" or {len(names) - NAMES_LIMIT} more" if names[NAMES_LIMIT:] else "")
    return case.use.sentence.format(names=shown, rating=case.winner.rating.value, value=_value(case))


def _value(case: Case) -> str:
    value, name = case.winner.value.value, case.winner.metric
    words = {
        "memory_peak_bytes": human_bytes(value),
        "usable_context_tok": f"{value:,.0f} tokens, about {_words(value)} words",
        "documents_per_hour": f"{value:,.0f} documents an hour",
        "balance_ratio": f"{value:.2f}",
    }
    return words.get(name, f"{value:.0f} tok/s" if value >= 10 else f"{value:.1f} tok/s")


def _words(tok: float) -> str:
    """A length in words, rounded so that it does not pretend to be counted."""
    words = tok / TOK_PER_WORD
    step = 10 if words < 1000 else 100 if words < 10_000 else 1000
    return f"{round(words / step) * step:,}"


def why(case: Case) -> tuple[str, ...]:
    """The reasons, most important first; the last one is about the quality of the answers."""
    return tuple(_why(case))


def _why(case: Case) -> Iterator[str]:
    slowest = min(case.own_cells, key=_speed, default=None)
    told = case.evidence.usable_context.get(case.winner.contender.target_of(case.profile).key)
    if case.use.order == "deep" and told:
        yield told.sentence
    elif slowest is not None and slowest.meaning and case.profile != QUALITY:
        yield slowest.meaning
    if case.use.order == "balanced":
        yield _shares(case)
    if case.stand.caveat:
        yield case.stand.caveat
    if case.equals:
        yield "What this run measured of the models named is within what it can tell apart: a tie."
    yield from _order(case)
    yield from _answers(case)
    yield from _set_aside(case)
    quality = case.winner.contender.quality
    yield (
        quality.sentence if quality and quality.sentence else "The quality of the answers was not measured in this run."
    )


def _speed(cell: CellSummary) -> float:
    value = cell.metrics.get("decode_tok_per_s")
    return value.value if isinstance(value, Estimate) else float("inf")


def _shares(case: Case) -> str:
    one = case.winner.contender
    # The balance that won is a product of all three, so none of them is missing.
    right = cast("tuple[int, int]", one.right())
    speed = cast("Estimate", one.lowest(INTERACTIVE, "decode_tok_per_s"))
    memory = cast("Estimate", one.memory(INTERACTIVE))
    return (
        f"It answered {right[0]} of {right[1]} questions right, writes {speed.value:.0f} tok/s and takes "
        f"{human_bytes(memory.value)} of {human_bytes(case.evidence.memory_bytes)}; no other has a higher product of "
        "right answers, speed and memory left free."
    )


def _order(case: Case) -> Iterator[str]:
    """What the winner has over the others that were good enough."""
    winner = case.winner
    others = [one for one in peers(case.use, case.ranked) if one is not winner and one not in case.equals]
    if not others:
        return
    if case.use.order == "lean":
        yield f"The next takes {_next_memory(others)}."
    elif case.use.order == "busy":
        yield "It gets the most done of those that are good enough."
    elif case.use.order in {"capable", "deep"}:
        mine = winner.contender
        if any(one.contender.parameters < mine.parameters for one in others):
            yield "It is the largest of those that are good enough, and a larger model normally answers better."
        alike = [one.contender for one in others if one.contender.parameters == mine.parameters]
        if any(one.damage > mine.damage for one in alike):
            yield (
                "Of the files of its size it keeps most of the original answers."
                if mine.judged
                else "Of the files of its size it keeps most bits, and normally most of the original answers."
            )
        elif any(one.damage == mine.damage and (one.judged or one.bits == mine.bits) for one in alike):
            yield "It is the fastest of those of its size that answer equally well."
        elif alike:
            yield "Of the files of its size it keeps most bits, and normally most of the original answers."


def _next_memory(others: Sequence[Judged]) -> str:
    nearest = min(others, key=lambda one: one.value.value)
    return f"{human_bytes(nearest.value.value)}: {nearest.contender.label}"


def _answers(case: Case) -> Iterator[str]:
    """How many of the questions that matter the winner answered, and who is out because of them."""
    right = case.winner.contender.right(case.use.kinds)
    if right is None or case.use.order == "balanced":
        return
    if case.use.kinds:
        about = ", ".join(KINDS[kind][0] for kind in case.use.kinds)
        yield f"Of {right[1]} questions on {about} it answered {right[0]} right."
    inside = {one.key for one in peers(case.use, case.ranked)}
    rivals = [one for one in case.ranked if one.level == case.winner.level and one.key not in inside]
    out = [(one.contender.label, one.right) for one in rivals if one.right]
    for label, told in out[:1]:
        more = f" (and {len(out) - 1} more like it)" if len(out) > 1 else ""
        yield f"{label} is out{more}: only {told[0]} of {told[1]} right, more than chance explains."


def _set_aside(case: Case) -> Iterator[str]:
    damaged = [one.label for one in case.every if one.damaged and one is not case.winner.contender]
    if damaged:
        yield f"Not recommended because their answers are damaged: {_listed(damaged)}."
    doubtful = [
        one.contender.label for one in case.ranked[1:] if one.contender.doubtful and case.winner.level < one.level
    ]
    if doubtful:
        yield f"Probably damaged, because so few bits are left: {_listed(doubtful)}."
    slower = [
        one.contender.label
        for one in case.ranked[1:]
        if one.level > case.winner.level and not one.contender.damaged and not one.contender.doubtful
    ]
    if slower:
        yield f"Rated lower: {_listed(slower)}."


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:NAMES_LIMIT]) + (" and more" if len(labels) > NAMES_LIMIT else "")


def cautions(case: Case) -> tuple[str, ...]:
    """What to avoid and what to mind, most concrete first."""
    return tuple(dict.fromkeys(_cautions(case)))[:SENTENCES_LIMIT]


def _cautions(case: Case) -> Iterator[str]:
    winner = case.winner.contender
    if any(target.engine == PLAYED_ENGINE for target in winner.targets):
        yield "The fake engine played these answers: no model was measured."
    if winner.doubtful:
        yield (
            f"{winner.label} keeps only {winner.bits:.1f} bits a weight, and nobody measured its answers: "
            f"{MEASURE_QUALITY}"
        )
    yield from _under_work(case)
    first_winner = sorted(case.every, key=lambda one: one is not winner)
    for one in first_winner:
        yield from _lost_kinds(one.quality, case.use.kinds)
    memory, limit = winner.memory(case.profile), case.evidence.memory_bytes
    if isinstance(memory, Estimate) and limit and memory.value > MEMORY_ALERT_RATIO * limit:
        yield (
            f"It takes {human_bytes(memory.value)} of the {human_bytes(limit)} of this machine: close other programs "
            "first."
        )
    found = (finding for cell in case.own_cells for finding in cell.findings if finding.severity != "note")
    once = {finding.code: finding for finding in reversed([*found])}  # the first of each kind: its loads say the same
    yield from (f"{finding.evidence} {finding.remedy}" for finding in reversed(once.values()))


def _under_work(case: Case) -> Iterator[str]:
    """What continuous work did to the winner, where it lost noticeably."""
    keys = {target.key for target in case.winner.contender.targets}
    for one in case.evidence.stress:
        ratio = one.sustained_ratio
        if one.target in keys and isinstance(ratio, Estimate) and ratio.value < SUSTAINED_RATIO:
            yield one.sentence or f"Under continuous work it keeps only {ratio.value:.0%} of its speed."


def _lost_kinds(quality: QualitySummary | None, kinds: Sequence[str]) -> Iterator[str]:
    if quality is None or not isinstance(quality.tasks, Tasks):
        return
    lost = [part for part in quality.tasks.categories if part.degraded and (not kinds or part.name in kinds)]
    for part in sorted(lost, key=_loss, reverse=True)[:2]:
        what, items = KINDS.get(part.name, (part.name, "answers"))
        wrong, usual = part.asked_count - part.correct_count, part.asked_count - part.reference_correct_count
        yield (
            f"Avoid {quality.label} for {what}: {wrong} of {part.asked_count} {items} wrong; "
            f"{quality.reference_label} gets {usual} wrong."
        )


def _loss(part: CategoryResult) -> float:
    return (part.reference_correct_count - part.correct_count) / part.asked_count
