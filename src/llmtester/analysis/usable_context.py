"""How much text a target can work with, and when a longer one need not be tried. Pure: reads finished trials.

The **usable context** is the deepest step of the long context profile at which three things hold: the speed meets its
floor, memory fits without swapping, and facts in the text are still found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llmtester.analysis import ratings
from llmtester.analysis.doubts_about_machine import SWAP_GROWTH_BYTES
from llmtester.analysis.metrics import of_cell
from llmtester.analysis.ratings import READING_TOK_PER_S, TOK_PER_WORD
from llmtester.analysis.state import CellState, RunState
from llmtester.analysis.summary import ContextLimit, ContextStep, Estimate, Measured, Rating, UsableContext
from llmtester.domain.records import Absent
from llmtester.domain.text import human_bytes, human_duration
from llmtester.domain.work import Load, Target

PROFILE = "long_context"

LONGEST_WAIT_S = 120.0
"""Ours: beyond 10 s people turn to something else (Nielsen, 1993), and after two minutes they have forgotten why."""

SLOWEST_TOK_PER_S = READING_TOK_PER_S
"""An answer that comes more slowly than people read is waited for word by word."""

STILL_FOUND_RATIO = 0.85
"""RULER (arXiv 2404.06654) calls a context effective while a model scores about 85 %. Ours is relative to what the same
model finds in its shortest text, because what it cannot do at all says nothing about length."""

FOUND_AT_ALL_RATIO = 0.5
"""Below half of the questions about its shortest text, a model cannot be said to read."""

PREDICTION_MARGIN_RATIO = 1.25
"""A step is left out only if its predicted wait exceeds the limit by this much: a curve through few points errs."""

RETRIEVAL_FAILURES = 2
"""Steps in a row at which too few facts were found, after which a longer text is not tried: one may be bad luck."""

BANDS_TOK = (32_768, 8_192, 4_096)
"""Limits of excellent, good and acceptable: some 50 pages, 12 pages and 6 pages of 500 words."""

WORDS_PER_PAGE = 500

_BECAUSE: Mapping[ContextLimit, str] = {
    "speed": "it would be too slow",
    "memory": "it would not fit into memory",
    "retrieval": "it would not be understood",
    "failure": "it would fail",
}
"""How the reason begins when a step is left out."""

_BEYOND: Mapping[ContextLimit, str] = {
    "speed": "beyond that it becomes too slow",
    "memory": "beyond that the memory of this machine does not do",
    "retrieval": "beyond that it misses what is in the text",
    "model": "it was not made for more",
    "failure": "beyond that the server fails",
    "unfinished": "longer texts were not measured yet",
    "longest": "longer texts were not tried",
}


def find(state: RunState, bands_tok: tuple[int, int, int] = BANDS_TOK) -> tuple[UsableContext, ...]:
    """One for each target that the long context profile was planned for."""
    own = [cell for cell in state.cells.values() if cell.cell.profile == PROFILE]
    targets = dict.fromkeys(cell.cell.target for cell in own)
    return tuple(_of_target(state, target, steps_of(state, target), bands_tok) for target in targets)


def steps_of(state: RunState, target: Target) -> list[CellState]:
    """The cells of the long context profile on a target, shortest first."""
    cells = [cell for cell in state.cells.values() if (cell.cell.profile, cell.cell.target) == (PROFILE, target)]
    return sorted(cells, key=lambda cell: _size_tok(cell.cell.load))


def hopeless(state: RunState) -> Iterator[tuple[str, str]]:
    """Key and reason of each step that was not begun and cannot succeed, by the evidence of the shorter ones.

    Where the next step is worth a try, nothing is said of those after it.
    """
    for target in dict.fromkeys(cell.cell.target for cell in state.cells.values() if cell.cell.profile == PROFILE):
        steps = steps_of(state, target)
        for index, step in enumerate(steps):
            if step.trials or step.warmups or step.skipped is not None:
                continue
            found = cannot_succeed(steps[:index], step.cell.load)
            if found is None:
                break
            yield step.cell.key, f"{_BECAUSE[found[0]]}: {found[1]}"


def cannot_succeed(shorter: Sequence[CellState], load: Load) -> tuple[ContextLimit, str] | None:
    """Which limit a longer text would break, and the evidence; ``None`` if it is worth a try."""
    measured = [step for step in shorter if step.trials]
    if not measured:
        return None
    limits = [_judged(step, measured[0]) for step in measured]
    last, (limit, because) = measured[-1], limits[-1]
    if limit == "failure":
        return "failure", f"at {_named(last)} {because}"
    swapped = next((pair for pair in zip(measured, limits, strict=True) if pair[1][0] == "memory"), None)
    if swapped:
        return "memory", f"at {_named(swapped[0])} {swapped[1][1]}"
    decode = _measured(last, "decode_tok_per_s")
    if isinstance(decode, Estimate) and decode.value < SLOWEST_TOK_PER_S:
        return "speed", f"at {_named(last)} {_slow_writing(decode.value)}, and more text only makes it slower"
    wait_s = predicted_wait_s(measured, load.prompt_tok)
    if wait_s is not None and wait_s > PREDICTION_MARGIN_RATIO * LONGEST_WAIT_S:
        seen = _measured(last, "ttft_ms")
        took = f"; it took {human_duration(seen.value / 1e3)} at {_named(last)}" if isinstance(seen, Estimate) else ""
        limit_text = human_duration(LONGEST_WAIT_S)
        return "speed", f"its first word is expected after {human_duration(wait_s)}{took}, the limit is {limit_text}"
    if len(limits) >= RETRIEVAL_FAILURES and all(one == "retrieval" for one, _ in limits[-RETRIEVAL_FAILURES:]):
        return "retrieval", f"at {_named(last)} {because}, and at {_named(measured[-2])} it was no better"
    return None


def predicted_wait_s(measured: Sequence[CellState], prompt_tok: int) -> float | None:
    """Seconds to the first token for a prompt of that length, from what shorter ones took; ``None`` without evidence.

    Reading n tokens costs ``a n`` for the weights and ``b n**2`` for attention. Both are fitted by least squares of the
    relative error and kept from being negative. From one point only ``a n``, which is a lower bound.
    """
    points = [
        (float(step.cell.load.prompt_tok), wait.value / 1e3)
        for step in measured
        if isinstance(wait := _measured(step, "ttft_ms"), Estimate) and wait.value > 0
    ]
    if not points:
        return None
    linear, square = _fitted(points)
    return linear * prompt_tok + square * prompt_tok**2


def _fitted(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    u = [n / t for n, t in points]
    v = [n * n / t for n, t in points]
    uu, vv, uv = (sum(a * b for a, b in zip(x, y, strict=True)) for x, y in ((u, u), (v, v), (u, v)))
    determinant = uu * vv - uv * uv
    if len(points) > 1 and determinant > 1e-9 * uu * vv:
        linear = (sum(u) * vv - sum(v) * uv) / determinant
        square = (sum(v) * uu - sum(u) * uv) / determinant
        if linear >= 0 and square >= 0:
            return linear, square
        if linear < 0:
            return 0.0, sum(v) / vv
    return sum(u) / uu, 0.0


def _of_target(
    state: RunState, target: Target, cells: Sequence[CellState], bands_tok: tuple[int, int, int]
) -> UsableContext:
    steps = tuple(_step(state, cell, cells) for cell in cells)
    held_count = max((index + 1 for index, step in enumerate(steps) if step.limit is None), default=0)
    deepest = steps[held_count - 1] if held_count else None
    if held_count < len(steps):
        following = steps[held_count]
        ended_by, because = following.limit or "unfinished", f"at {following.context_tok:,} tokens: {following.because}"
    else:
        ended_by, because = _end_of_plan(target, steps[-1])
    context: Measured = Absent(because)
    if deepest is not None:
        trials = len(state.cells[deepest.cell].trials)
        context = Estimate(float(deepest.context_tok), None, None, trials)
    return UsableContext(
        target=target.key,
        context_tok=context,
        ended_by=ended_by,
        because=because,
        rating=_rating(context, ended_by, bands_tok),
        sentence=_sentence(context, ended_by, because),
        steps=steps,
    )


def _end_of_plan(target: Target, last: ContextStep) -> tuple[ContextLimit, str]:
    trained_tok = target.model.context_tok
    if trained_tok and last.context_tok * 2 > trained_tok:
        return "model", f"the model was trained for {trained_tok:,} tokens"
    return "longest", f"{last.context_tok:,} tokens are the longest text that was asked for"


def _step(state: RunState, cell: CellState, cells: Sequence[CellState]) -> ContextStep:
    limit: ContextLimit | None
    if cell.trials:
        limit, because = _judged(cell, next(one for one in cells if one.trials))
    elif cell.skipped is not None:
        limit, because = _limit_of(state, cell, cell.skipped), cell.skipped
    else:
        failure = state.targets[cell.cell.target.key].load_failure
        crash = cell.crashes[-1] if cell.crashes else failure
        limit, because = ("failure", crash.message) if crash else ("unfinished", "not measured yet")
    return ContextStep(
        cell=cell.cell.key,
        context_tok=_size_tok(cell.cell.load),
        ttft_ms=_measured(cell, "ttft_ms"),
        prefill_tok_per_s=_measured(cell, "prefill_tok_per_s"),
        decode_tok_per_s=_measured(cell, "decode_tok_per_s"),
        accuracy_ratio=_measured(cell, "accuracy_ratio"),
        memory_growth_bytes=_measured(cell, "memory_growth_bytes"),
        swap_growth_bytes=_measured(cell, "swap_growth_bytes"),
        limit=limit,
        because=because,
    )


def _judged(cell: CellState, shortest: CellState) -> tuple[ContextLimit | None, str]:
    """What fails at a measured step, with the numbers; ``None`` with what held if nothing does."""
    ttft, decode = _measured(cell, "ttft_ms"), _measured(cell, "decode_tok_per_s")
    accuracy, swap = _measured(cell, "accuracy_ratio"), _measured(cell, "swap_growth_bytes")
    if isinstance(ttft, Absent) or isinstance(decode, Absent) or isinstance(accuracy, Absent):
        reasons = [measured.reason for measured in (ttft, decode, accuracy) if isinstance(measured, Absent)]
        return "failure", _failure(cell) or reasons[0]
    if isinstance(swap, Estimate) and swap.value > SWAP_GROWTH_BYTES:
        return "memory", f"swap grew by {human_bytes(swap.value)}"
    wait = human_duration(ttft.value / 1e3)
    if ttft.value / 1e3 > LONGEST_WAIT_S:
        return "speed", f"the first word came after {wait}, the limit is {human_duration(LONGEST_WAIT_S)}"
    if decode.value < SLOWEST_TOK_PER_S:
        return "speed", _slow_writing(decode.value)
    base = _measured(shortest, "accuracy_ratio")
    at_first = base.value if isinstance(base, Estimate) else accuracy.value
    found = f"{accuracy.value:.0%} of the questions about the text were answered right"
    if accuracy.value < FOUND_AT_ALL_RATIO or accuracy.value < STILL_FOUND_RATIO * at_first:
        beside = "" if cell is shortest else f", {at_first:.0%} about the shortest text"
        return "retrieval", f"{found}{beside}"
    return None, f"first word after {wait}, {decode.value:.1f} tok/s, {found}"


def _failure(cell: CellState) -> str:
    failed = [sample for trial in cell.trials for sample in trial.samples if not sample.ok]
    return f"a request failed: {failed[0].failure_detail}" if failed else ""


def _slow_writing(tok_per_s: float) -> str:
    return f"it writes {tok_per_s:.1f} tok/s, people read {SLOWEST_TOK_PER_S:.1f}"


def _limit_of(state: RunState, cell: CellState, reason: str) -> ContextLimit:
    """What a step was left out for: memory by the planner, one of the limits on the way up, what other models foretell,
    the end of the time that the run was given, or else a failure."""
    if any(skip.cell == cell.cell for skip in state.plan.skips):
        return "memory"
    for limit, words in _BECAUSE.items():
        if reason.startswith(words):
            return limit
    if reason.startswith("predicted"):
        return "memory" if " of memory" in reason else "speed"
    if reason.startswith("the budget of"):
        return "unfinished"
    return "speed" if "too slow" in reason else "failure"


def _measured(cell: CellState, name: str) -> Measured:
    return of_cell(name, cell)


def _size_tok(load: Load) -> int:
    return load.prompt_tok + load.output_tok


def _named(cell: CellState) -> str:
    return f"{_size_tok(cell.cell.load):,} tokens"


def _rating(context: Measured, ended_by: ContextLimit, bands_tok: tuple[int, int, int]) -> Rating:
    if isinstance(context, Absent):
        return {"failure": Rating.FAILED, "unfinished": Rating.NOT_RATED}.get(ended_by, Rating.POOR)
    for word, limit_tok in zip(ratings.WORDS, bands_tok, strict=True):
        if context.value >= limit_tok:
            return word
    return Rating.POOR


def _sentence(context: Measured, ended_by: ContextLimit, because: str) -> str:
    if isinstance(context, Absent):
        return f"It cannot be used for long texts here: {because}."
    words = context.value / TOK_PER_WORD
    rounding = 10 ** (len(str(int(words))) - 2)
    pages = max(1, round(words / WORDS_PER_PAGE))
    size = f"{round(words / rounding) * rounding:,} words at once ({'a page' if pages == 1 else f'some {pages} pages'})"
    return f"It can work with about {size}; {_BEYOND[ended_by]}."
