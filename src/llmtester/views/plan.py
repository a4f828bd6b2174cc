"""A plan as text: what would be measured, what not and why, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmtester.analysis import costs
from llmtester.domain.text import counted, human_bytes, human_duration, printable
from llmtester.domain.work import Cell, Plan


def plan_lines(plan: Plan) -> Iterator[str]:
    """The plan for people, one line a target and one a reason to skip, every untrusted text made safe."""
    for target, cells in plan.by_target():
        model = target.model
        size = human_bytes(model.size_bytes)
        yield f"{printable(model.label, 60)}  {size}  {printable(target.engine, 20)}  {_loads(cells)}"
    yield from dict.fromkeys(
        f"skipped: {printable(skip.cell.target.model.label, 60)} {skip.cell.profile}: {printable(skip.reason)}"
        for skip in plan.skips
    )
    for note in plan.notes:
        yield f"note: {printable(note)}"
    expected = f"about {human_duration(plan.expected_s)} (a rough guess)" if plan.expected_s else "unknown time"
    memory = max(plan.memory_need_bytes.values(), default=None)
    if memory is not None:
        yield f"memory: up to {human_bytes(memory)} for a server"
    yield f"disk: about {human_bytes(costs.journal_bytes(plan.cells, plan.visit_trials))} for the journal"
    if plan.visit_trials is not None and len(plan.targets) > 1:
        visit = counted(plan.visit_trials, "trial")
        yield f"race: {visit} of each cell in a visit, until nothing more can change the advice"
    cells_said, starts_said = counted(len(plan.cells), "cell"), counted(len(plan.targets), "server start")
    yield f"{cells_said}, {starts_said}, {expected}; plan {plan.digest}"


def _loads(cells: Sequence[Cell]) -> str:
    """``interactive: short, medium; batch: 1-at-once``."""
    names: dict[str, list[str]] = {}
    for cell in cells:
        names.setdefault(cell.profile, []).append(printable(cell.load.name, 40))
    return "; ".join(f"{printable(profile, 40)}: {', '.join(loads)}" for profile, loads in names.items())
