"""Charts of what the answers are worth: against the bits that were kept, and traded against speed and memory."""

from __future__ import annotations

from collections.abc import Callable

from llmtester.analysis.contenders import Contender
from llmtester.analysis.summary import Estimate, Fidelity, Measured
from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes, printable
from llmtester.views.chart_kinds import LABEL_LIMIT, Axis, Plot, Point, Series
from llmtester.views.numbers import finite
from llmtester.views.outline import Outline


def right_by_bits(outline: Outline) -> Plot | None:
    """Share of right answers against bits a weight; the files of one model are joined."""
    return _by_bits(
        outline,
        "right-by-bits",
        "Right answers by quantization",
        "All questions of the quality profile. Where the upright lines overlap much, the difference may be chance.",
        Axis("Right answers", "%", "higher is better"),
        lambda one: one.right_ratio,
    )


def changed_by_bits(outline: Outline) -> Plot | None:
    """Share of places with another next word than the reference, against bits a weight."""
    return _by_bits(
        outline,
        "changed-by-bits",
        "Changed words by quantization",
        "How often a file would go on with another word than the full-quality version of its model. Finer than "
        "questions: a change is not always a mistake.",
        Axis("Another next word", "%", "lower is better"),
        _changed,
    )


def _changed(one: Contender) -> Measured:
    if one.quality is None or one.quality.reference is None or not isinstance(one.quality.fidelity, Fidelity):
        return Absent("not compared")
    same = one.quality.fidelity.agreement_ratio
    low = None if same.high is None else 1 - same.high
    high = None if same.low is None else 1 - same.low
    return Estimate(1 - same.value, low, high, same.trials_count)


def _by_bits(
    outline: Outline, id_: str, title: str, lead: str, y: Axis, value: Callable[[Contender], Measured]
) -> Plot | None:
    models: dict[str, list[Point]] = {}
    for one in outline.ranked_contenders:
        found = finite(value(one))
        if found and one.bits:
            models.setdefault(one.model.name, []).append(
                Point(
                    printable(outline.labels[one.key], LABEL_LIMIT),
                    one.bits,
                    found.value * 100,
                    outline.standing(one.key),
                    None if found.low is None else found.low * 100,
                    None if found.high is None else found.high * 100,
                )
            )
    if sum(len(points) for points in models.values()) < 2:
        return None
    series = tuple(
        Series(printable(name, LABEL_LIMIT), _best(points), tuple(sorted(points, key=lambda point: point.x)))
        for name, points in models.items()
    )
    return Plot(id_, title, lead, Axis("Bits a weight", ""), y, series)


def _best(points: list[Point]) -> str:
    standings = {point.standing for point in points}
    return "winner" if "winner" in standings else "tie" if "tie" in standings else ""


def tradeoff(outline: Outline) -> Plot | None:
    """Quality against speed with memory as the size; hollow is what another file beats. Size of the model stands for
    quality where no answers were checked."""
    points = [point for point in outline.summary.front if isinstance(point.speed_tok_per_s, Estimate)]
    if len(points) < 2:
        return None
    judged = [point for point in points if isinstance(point.quality_ratio, Estimate)]
    most = max((found.value for point in points if (found := finite(point.memory_bytes))), default=1.0)
    series = []
    for point in judged or points:
        one, speed, right = (
            outline.contender_of.get(point.target),
            finite(point.speed_tok_per_s),
            finite(point.quality_ratio),
        )
        if one is None or speed is None:
            continue
        memory = finite(point.memory_bytes)
        beaten = outline.labels.get(point.beaten_by or "", "")
        label = printable(outline.labels[point.target], LABEL_LIMIT)
        dot = Point(
            label,
            speed.value,
            right.value * 100 if right else one.parameters / 1e9,
            outline.standing(point.target),
            None if right is None or right.low is None else right.low * 100,
            None if right is None or right.high is None else right.high * 100,
            (memory.value / most) if memory else None,
            not point.on_front,
            "; ".join(
                part
                for part in (
                    f"{human_bytes(memory.value)} of memory" if memory else "",
                    f"beaten by {printable(beaten, LABEL_LIMIT)}" if beaten else "",
                )
                if part
            ),
        )
        series.append(Series(label, dot.standing, (dot,)))
    unjudged = len(points) - len(judged) if judged else 0
    missing = f" Left out, because their answers were not checked: {unjudged}." if unjudged else ""
    stands_for = "" if judged else " No answers were checked, so the size of the model stands for quality."
    return Plot(
        "tradeoff",
        "Quality, speed and memory",
        "Up is better, right is faster, a smaller dot takes less memory. A hollow dot is beaten: another file is "
        f"better in something and worse in nothing.{stands_for}{missing}",
        Axis("Writing speed", "tok/s", "further right is better"),
        Axis("Right answers", "%", "higher is better")
        if judged
        else Axis("Parameters", "billion", "larger usually answers better"),
        tuple(series),
    )
