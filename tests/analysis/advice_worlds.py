"""Model files with given results, as the summaries that advice is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from llmtester.analysis import ratings
from llmtester.analysis.advice import advise
from llmtester.analysis.advice_ranking import Evidence
from llmtester.analysis.metrics import METRICS
from llmtester.analysis.quality.statistics import wilson
from llmtester.analysis.summary import (
    Advice,
    CategoryResult,
    CellStatus,
    CellSummary,
    Estimate,
    Finding,
    Measured,
    QualitySummary,
    Rating,
    TargetSummary,
    Tasks,
    UsableContext,
)
from llmtester.domain.records import Absent, Capabilities, SessionFacts
from llmtester.domain.work import Load, ModelRef, ServerSettings

KINDS = ("arithmetic", "reading", "logic", "instructions", "structured", "look-up")
MEMORY_BYTES = 16_000_000_000
LOAD = Load("medium", 512, 128)
TITLES = ("ttft_ms", "decode_tok_per_s")


@dataclass(frozen=True)
class File:
    """One model file and what was found. ``None`` was not measured. ``right``: of 40 questions of each kind."""

    name: str = "M"
    quant: str = "Q4_K_M"
    billions: float | None = 8.0
    bits: float | None = 4.8
    tok_per_s: float | None = 20.0
    ttft_s: float = 1.0
    spread: float = 0.01
    memory_gb: float | None = 6.0
    status: CellStatus = "done"
    finding: str = ""
    severity: Literal["note", "warning"] = "warning"
    right: int | Mapping[str, int] | None = None
    reference_right: int | None = None
    word: Rating | None = None
    usable_tok: int | None = None
    documents_per_hour: float | None = None
    counted: str = "documents_per_hour"
    engine: str = "llama-server"
    loads: tuple[Load, ...] = (LOAD,)
    depths: Mapping[int, Rating] | None = None

    @property
    def label(self) -> str:
        return f"{self.name} {self.quant}"

    @property
    def key(self) -> str:
        return f"{self.engine}/{self.name}/{self.quant}/abc"


def target(file: File, settings: ServerSettings | None = None, suffix: str = "") -> TargetSummary:
    """The server of a file; ``suffix`` sets a second one apart."""
    path = f"/models/{file.name}-{file.quant}.gguf"
    bits = file.bits if file.bits is not None else 4.8
    model = ModelRef(
        name=file.name,
        quantization=file.quant,
        path=path,
        size_bytes=int((file.billions or 8.0) * 1e9 * bits / 8),
        fingerprint=path,
        parameters_count=None if file.billions is None else int(file.billions * 1e9),
        bits_per_weight=file.bits,
    )
    command = ("/opt/llama/llama-server", "--model", path, "--port", "41234", "--ctx-size", "4096", "--metrics")
    return TargetSummary(
        key=file.key + suffix,
        engine=file.engine,
        model=model,
        settings=settings or ServerSettings(),
        facts=SessionFacts(file.engine, "b1", command, 1, 4096, 1, Capabilities()),
        starts_count=1,
        load_s=Estimate(1.0, None, None, 1),
        memory_peak_bytes=(
            Absent("not told") if file.memory_gb is None else Estimate(file.memory_gb * 1e9, None, None, 1)
        ),
        failure="",
        failure_fix="",
        log_tail=(),
        rating=Rating.NOT_RATED,
    )


def cell(file: File, profile: str, load: Load, metrics: dict[str, Measured], rating: Rating) -> CellSummary:
    finding = (Finding("busy", file.severity, file.finding, "Close other programs.", None),) if file.finding else ()
    done = file.status in {"done", "partial"}
    return CellSummary(
        key=f"{file.key}/{profile}/{load.name}",
        target=file.key,
        profile=profile,
        load=load,
        status=file.status,
        reason="" if done else "why not",
        trials_count=6 if done else 0,
        samples_ok_count=6,
        samples_failed_count=0,
        metrics=metrics if done else {},
        per_trial={},
        rating=rating if done else Rating.NOT_RATED,
        rating_because="",
        meaning=f"{file.label} writes.",
        findings=finding,
    )


def chat_cells(file: File) -> list[CellSummary]:
    if file.tok_per_s is None and file.status == "done":
        return []
    speed = file.tok_per_s or 0.0
    values = {"ttft_ms": file.ttft_s * 1e3, "decode_tok_per_s": speed}
    metrics: dict[str, Measured] = {
        name: Estimate(value, value * (1 - file.spread), value * (1 + file.spread), 6) for name, value in values.items()
    }
    rating = ratings.rate_cell(metrics, [METRICS[name].info for name in TITLES])[0]
    return [cell(file, "interactive", load, metrics, rating) for load in file.loads]


def depth_cells(file: File) -> list[CellSummary]:
    return [
        cell(file, "long_context", Load(f"{depth}", depth, 64), {}, rating)
        for depth, rating in (file.depths or {}).items()
    ]


def batch_cells(file: File) -> list[CellSummary]:
    if file.documents_per_hour is None:
        return []
    value = Estimate(file.documents_per_hour, file.documents_per_hour * 0.98, file.documents_per_hour * 1.02, 6)
    return [cell(file, "batch", Load("one", 600, 80), {file.counted: value}, Rating.GOOD)]


def judged(file: File, files: Sequence[File]) -> QualitySummary | None:
    if file.right is None and file.word is None:
        return None
    siblings = [one for one in files if one.name == file.name and (one.right is not None or one.word is not None)]
    largest = max(siblings, key=lambda one: one.bits or 0)
    reference = None if file.word is None else (largest.key if largest is not file else f"pack/{file.name}/F16/0")
    return QualitySummary(
        target=file.key,
        label=file.label,
        reference=reference,
        reference_label=largest.label,
        rating=file.word or Rating.NOT_RATED,
        words="reference" if file.word is None else file.word.value,
        fidelity=Absent("not part of this world"),
        tasks=Absent("not asked") if file.right is None else tasks(file),
        stability=Absent("not part of this world"),
        sentence=f"{file.label}: {file.word.value if file.word else 'reference'}.",
    )


def tasks(file: File) -> Tasks:
    rights = (
        dict.fromkeys(KINDS, file.right)
        if isinstance(file.right, int)
        else {**dict.fromkeys(KINDS, 30), **(file.right or {})}
    )
    told = file.reference_right
    parts = tuple(
        CategoryResult(
            name=name,
            asked_count=40,
            correct_count=right,
            reference_correct_count=told if told is not None else right,
            worse_count=max(0, (told or 0) - (right)),
            better_count=0,
            informative=True,
            degraded=told is not None and told - (right) >= 8,
        )
        for name, right in rights.items()
    )
    asked, correct = sum(part.asked_count for part in parts), sum(part.correct_count for part in parts)
    share = Estimate(correct / asked, *wilson(correct, asked), asked)
    return Tasks(asked, correct, correct, 0, 0, share, share, Estimate(0, 0, 0, asked), 0.05, 1, 1, 0.05, parts, {}, 0)


def advice(files: Sequence[File], use: str = "chat", memory_bytes: int = MEMORY_BYTES) -> Advice:
    """What is advised for ``use`` over these files."""
    return next(one for one in every_advice(files, memory_bytes) if one.use == use)


def usable_context(file: File) -> UsableContext:
    """What the long context profile found: the word of the last depth that is usable."""
    inside = [word for depth, word in (file.depths or {}).items() if depth <= (file.usable_tok or 0)]
    rating = ratings.worst(inside) if inside else ratings.worst(list((file.depths or {}).values()))
    value = Estimate(float(file.usable_tok or 0), None, None, 1)
    return UsableContext(file.key, value, "speed", "too slow", rating, f"{file.label} reads far.", ())


def every_advice(files: Sequence[File], memory_bytes: int = MEMORY_BYTES) -> tuple[Advice, ...]:
    cells = [one for file in files for one in (*chat_cells(file), *depth_cells(file), *batch_cells(file))]
    quality = [one for file in files if (one := judged(file, files))]
    cells += [
        replace(cell(file, "quality", Load("tasks", 100, 40), {}, Rating.NOT_RATED), status="done", trials_count=3)
        for file in files
        if file.right is not None or file.word is not None
    ]
    usable = {file.key: usable_context(file) for file in files if file.usable_tok}
    evidence = Evidence(memory_bytes=memory_bytes, usable_context=usable)
    return advise([target(file) for file in files], cells, quality, evidence)
