"""Right and wrong answers of a candidate beside those of its reference to the same questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from llmtester.analysis.quality.statistics import (
    ALPHA,
    Z_ONE_SIDED,
    Paired,
    detectable_loss,
    holm,
    mcnemar,
    newcombe,
    wilson,
)
from llmtester.analysis.summary import CategoryResult, DifferingAnswer, Estimate, Tasks
from llmtester.domain.records import Absent, Sample

CHANCE_RATIO: Mapping[str, float] = {
    "reading": 0.1,
    "logic": 0.3,
    "look-up": 0.25,
    "order": 0.25,
    "counting": 0.1,
    "language": 0.25,
}
"""Share that guessing gets right: one of four words that are named; logic offers two to six; of reading and counting a
third names them. Others: nothing."""

ABOVE_CHANCE_RATIO = 0.10
"""One of the two must be surely this much better than guessing, or a category cannot show a loss.

The better of the two, not the reference: choosing kinds in which the reference happened to be lucky would make every
equal model look worse (7 % false alarms instead of 5 % in simulation).
"""

WARNING_LOSS_RATIO = 0.20
"""A single category is named only for a loss this large that is also significant: 24 items tell no less."""


def category_of(request_id: str) -> str:
    return request_id.partition(".")[0]


def pair(reference: Mapping[str, Sample], candidate: Mapping[str, Sample]) -> dict[str, tuple[bool, bool]]:
    """For each question that both answered: reference right, candidate right. Lost requests drop the pair."""
    return {
        name: (_right(told), _right(sample))
        for name, sample in candidate.items()
        if sample.ok and sample.grade and (told := reference.get(name)) and told.ok and told.grade
    }


def _right(sample: Sample) -> bool:
    return sample.grade is not None and sample.grade.score >= 1


def counts(outcomes: Iterable[tuple[bool, bool]]) -> Paired:
    seen = Counter(outcomes)
    return Paired(seen[True, True], seen[True, False], seen[False, True], seen[False, False])


def informative(category: str, right: int, asked: int) -> bool:
    """Whether ``right``, the larger number of right answers of the two, is clearly more than guessing gives."""
    return asked > 0 and wilson(right, asked)[0] > CHANCE_RATIO.get(category, 0.0) + ABOVE_CHANCE_RATIO


def informative_pairs(pairs: Mapping[str, tuple[bool, bool]]) -> list[tuple[bool, bool]]:
    """The outcomes of the categories that can show a loss, in order."""
    asked, told_right, right = Counter[str](), Counter[str](), Counter[str]()
    for name, (told, said) in pairs.items():
        category = category_of(name)
        asked[category] += 1
        told_right[category] += told
        right[category] += said
    kept = {one for one in asked if informative(one, max(told_right[one], right[one]), asked[one])}
    return [pair for name, pair in pairs.items() if category_of(name) in kept]


def measure(reference: Mapping[str, Sample], candidate: Mapping[str, Sample]) -> Tasks | Absent:
    """The comparison over all informative categories. ``p_value_holm`` is the plain one until ``adjusted``."""
    pairs = pair(reference, candidate)
    if not pairs:
        return Absent("no question was answered by both models")
    categories = _categories(pairs)
    kept = informative_pairs(pairs)
    if not kept:
        return Absent("the reference is not clearly better than guessing in any kind of question")
    seen = counts(kept)
    low, high = newcombe(seen)
    upper = newcombe(seen, Z_ONE_SIDED)[1]
    p_value = mcnemar(seen.worse, seen.better)
    flipped = (seen.worse + seen.better) / seen.count
    return Tasks(
        asked_count=seen.count,
        correct_count=seen.both + seen.better,
        reference_correct_count=seen.both + seen.worse,
        worse_count=seen.worse,
        better_count=seen.better,
        accuracy_ratio=_share(seen.both + seen.better, seen.count),
        reference_accuracy_ratio=_share(seen.both + seen.worse, seen.count),
        loss_ratio=Estimate(seen.loss, low, high, seen.count),
        loss_upper_ratio=upper,
        p_value=p_value,
        p_value_holm=p_value,
        detectable_loss_ratio=_detectable(seen.count, flipped),
        categories=categories,
        outcomes=dict(sorted(Counter(s.grade.outcome for s in candidate.values() if s.ok and s.grade).items())),
        lost_count=sum(not sample.ok for sample in candidate.values()),
    )


LEAST_FLIPPED_RATIO = 0.06
"""Where hardly an answer differed, the detectable loss is computed for this share, so that it does not flatter."""


def _detectable(asked: int, flipped: float) -> float | Absent:
    found = detectable_loss(asked, max(flipped, LEAST_FLIPPED_RATIO))
    return Absent("too few questions to find any loss") if found is None else found


def _share(right: int, asked: int) -> Estimate:
    low, high = wilson(right, asked)
    return Estimate(right / asked, low, high, asked)


def _categories(pairs: Mapping[str, tuple[bool, bool]]) -> tuple[CategoryResult, ...]:
    names = sorted({category_of(name) for name in pairs})
    seen = [counts(outcome for name, outcome in pairs.items() if category_of(name) == category) for category in names]
    told = [
        informative(name, one.both + max(one.worse, one.better), one.count)
        for name, one in zip(names, seen, strict=True)
    ]
    tested = [index for index, good in enumerate(told) if good]
    adjusted = dict(zip(tested, holm([mcnemar(seen[i].worse, seen[i].better) for i in tested]), strict=True))
    return tuple(
        CategoryResult(
            name=name,
            asked_count=one.count,
            correct_count=one.both + one.better,
            reference_correct_count=one.both + one.worse,
            worse_count=one.worse,
            better_count=one.better,
            informative=told[index],
            degraded=index in adjusted and adjusted[index] < ALPHA and one.loss >= WARNING_LOSS_RATIO,
        )
        for index, (name, one) in enumerate(zip(names, seen, strict=True))
    )


def example(
    reference: Mapping[str, Sample], candidate: Mapping[str, Sample], prompts: Sequence[str] = ()
) -> DifferingAnswer | None:
    """The first question that the reference answered and the candidate did not, with both answers."""
    for name, sample in candidate.items():
        told = reference.get(name)
        if told and told.ok and sample.ok and sample.grade and _right(told) and not _right(sample):
            return DifferingAnswer(name, told.text[-400:], sample.text[-400:], sample.grade.outcome)
    return None
