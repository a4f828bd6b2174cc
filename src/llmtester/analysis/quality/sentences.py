"""Sentences about quality for people who do not know the words of statistics; the numbers for those who do."""

from __future__ import annotations

from llmtester.analysis.advice_rules import KINDS
from llmtester.analysis.quality.statistics import ALPHA
from llmtester.analysis.summary import Estimate, Fidelity, QualitySummary, Rating, Stability, Tasks
from llmtester.domain.records import Absent

SMALLEST_SHOWN_NATS = 1e-3
"""Below this a divergence is within the error of 32-bit probabilities."""

NAMED_COUNT = 3
"""Kinds that are told with their figures; a file that loses more of them is beyond details."""

RECOMMENDATION = {
    Rating.EXCELLENT: "Nothing is lost that anyone would notice.",
    Rating.GOOD: "Recommended.",
    Rating.ACCEPTABLE: "Fine for everyday questions; a larger file is safer for exact work.",
    Rating.POOR: "Only if nothing else fits.",
    Rating.FAILED: "Do not use it.",
}


def sentence(one: QualitySummary) -> str:
    """What a lay person should know, in a few sentences."""
    if one.reference is None:
        return _of_reference(one)
    parts = [f"{one.label}: {one.words.upper()}."]
    if one.refused:
        return " ".join([*parts, f"It cannot be compared with {one.reference_label}: {one.refused[0]}."])
    if isinstance(one.fidelity, Fidelity):
        parts.append(
            f"In {_of_100(one.fidelity.agreement_ratio.value)} of 100 places it chose the same next word as the "
            f"full-quality version ({one.reference_label})."
        )
    if isinstance(one.tasks, Tasks):
        parts.append(_of_tasks(one.tasks))
    if isinstance(one.stability, Stability):
        parts.append(_of_stability(one.stability))
    if one.rating in RECOMMENDATION:
        parts.append(RECOMMENDATION[one.rating])
    return " ".join(parts)


def _of_100(share: float) -> str:
    """Never rounded up to 100."""
    return "100" if share == 1 else str(min(99, round(share * 100)))


def _of_reference(one: QualitySummary) -> str:
    if isinstance(one.tasks, Tasks):
        right = f"it answered {one.tasks.correct_count} of {one.tasks.asked_count} questions right"
        kinds = [part for part in one.tasks.categories if not part.informative]
        hard = _listed([kind_in_words(part.name) for part in kinds]) if kinds else ""
        note = f"; {hard} cannot tell anything, because it does not do better there than guessing" if kinds else ""
    else:
        right, note = "no answers to questions were judged", ""
    role = "the others are compared with it" if one.words == "reference" else "there is nothing to compare it with"
    return f"{one.label}: {right}{note}; {role}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _of_tasks(found: Tasks) -> str:
    flips = found.worse_count + found.better_count
    if flips == 0:
        asked = f"All {found.asked_count} questions came out the same"
    else:
        split = f"{found.worse_count} worse, {found.better_count} better"
        asked = f"Of {found.asked_count} questions, {flips} came out differently ({split})"
    if found.p_value_holm < ALPHA:
        return f"{asked}: it gets {found.loss_ratio.value * 100:.0f} fewer of 100 right, and that is not chance."
    detectable = found.detectable_loss_ratio
    limit = (
        "these are too few questions to find a loss"
        if isinstance(detectable, Absent)
        else f"a loss of more than {detectable * 100:.0f} in 100 would probably have shown"
    )
    return f"{asked}{'; that can be chance' if flips else ''}: {limit}."


def _of_stability(found: Stability) -> str:
    troubles = [
        (found.looping_count, "repeated itself"),
        (found.garbage_count, "wrote garbage"),
        (found.empty_count, "said nothing"),
        (found.foreign_count, "fell into another script"),
    ]
    said = [f"{what} in {count}" for count, what in troubles if count]
    if not said:
        return f"It did not repeat itself in {found.asked_count} long answers."
    reference = f" (the full-quality version repeated itself in {found.reference_looping_count})"
    return f"It {_listed(said)} of {found.asked_count} long answers{reference if found.looping_count else ''}."


def kind_in_words(name: str) -> str:
    """A kind of question as a person names it; the user's own kinds keep their name, which is untrusted text."""
    return KINDS[name][0] if name in KINDS else name


def warnings(one: QualitySummary) -> tuple[str, ...]:
    """Kinds of questions in which it lost clearly more than chance allows, worst first."""
    if not isinstance(one.tasks, Tasks):
        return ()
    lost = [part for part in one.tasks.categories if part.degraded]
    lost.sort(key=lambda part: (part.correct_count - part.reference_correct_count) / part.asked_count)
    lines = [
        f"It loses {kind_in_words(part.name)} {'first' if index == 0 else 'too'}: "
        f"{part.asked_count - part.correct_count} of {part.asked_count} wrong "
        f"({one.reference_label}: {part.asked_count - part.reference_correct_count})."
        for index, part in enumerate(lost[:NAMED_COUNT])
    ]
    if rest := [kind_in_words(part.name) for part in lost[NAMED_COUNT:]]:
        lines.append(f"As clearly it loses {_listed(rest)}.")
    return tuple(lines)


def details(one: QualitySummary) -> tuple[str, ...]:
    """The numbers, one line each."""
    lines: list[str] = []
    if isinstance(one.fidelity, Fidelity):
        found = one.fidelity
        noise = ", within noise" if found.within_noise else ""
        lines += [
            f"KL divergence, truncated (top 40 and rest): {_nats(found.kl_nats)} nats a token; 99th percentile "
            f"{found.kl_p99_nats:.3g}; reference against itself {_measured(found.floor_kl_nats)}{noise}",
            f"Same next token: {found.agreement_ratio.value:.1%}{_percent_interval(found.agreement_ratio)} of "
            f"{found.positions_count} places in {found.kl_nats.trials_count} texts",
            f"Perplexity on the words of the reference: {found.perplexity_ratio.value:.3f} times that of the reference",
        ]
    else:
        lines.append(f"Fidelity: {one.fidelity.reason}")
    if isinstance(one.tasks, Tasks) and one.reference:
        told = one.tasks
        lines.append(
            f"Right answers: {told.correct_count} of {told.asked_count} against {told.reference_correct_count}; loss "
            f"{told.loss_ratio.value:+.1%}{_percent_interval(told.loss_ratio)}, at most {told.loss_upper_ratio:.1%}, "
            f"exact McNemar p {told.p_value:.3g}, after Holm {told.p_value_holm:.3g}"
        )
    elif isinstance(one.tasks, Absent):
        lines.append(f"Questions: {one.tasks.reason}")
    if isinstance(one.stability, Absent):
        lines.append(f"Long answers: {one.stability.reason}")
    return tuple(lines)


def _nats(found: Estimate) -> str:
    if found.value < SMALLEST_SHOWN_NATS:
        return "< 0.001"
    interval = "" if found.low is None or found.high is None else f" [{found.low:.3g}, {found.high:.3g}]"
    return f"{found.value:.3g}{interval}"


def _measured(found: Estimate | Absent) -> str:
    return "not measured" if isinstance(found, Absent) else _nats(found)


def _percent_interval(found: Estimate) -> str:
    return "" if found.low is None or found.high is None else f" [{found.low:.1%}, {found.high:.1%}]"
