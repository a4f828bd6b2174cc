"""Rich made-up summaries: sixty cells that look like a real evening of measuring, and the same with poison in them."""

from __future__ import annotations

import random
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from itertools import product
from typing import Any, TypeVar, get_type_hints

from llmtester.analysis.pareto import front
from llmtester.analysis.quality.statistics import wilson
from llmtester.analysis.summary import (
    Advice,
    CategoryResult,
    CellSummary,
    ContextLimit,
    ContextStep,
    Curve,
    CurvePoint,
    DifferingAnswer,
    Estimate,
    Fidelity,
    Finding,
    ForecastRow,
    Measured,
    MetricInfo,
    QualitySummary,
    Rating,
    StressResult,
    Summary,
    TargetSummary,
    Tasks,
    UsableContext,
)
from llmtester.domain.records import Absent, Buffer, Capabilities, Machine, SessionFacts
from llmtester.domain.work import Load, ModelRef, ServerSettings

POISON = (
    "<script>alert(1)</script>",
    "</script><script>document.title='owned'</script>",
    '"><img src=x onerror=alert(2)>',
    '=HYPERLINK("http://evil.example")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1:A9)",
    "-2+3",
    "\x1b[31mred\x1b]52;c;aGk=\x07",
    "\u202eevil\u202c",
    "[/bold] [red]markup",
    "`code` | pipe | **bold** <!-- --> ]]>",
    "{{ 7*7 }} {% raw %}",
    "line\nbreak\r\ttab",
    "\ud800 lone surrogate",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &#60;",
    "x" * 10_000,
)

METRICS = (
    MetricInfo("ttft_ms", "Time to first token", "ms", "lower", "arrival of the first token minus sending the request"),
    MetricInfo("ttft_cold_ms", "First request after the start", "ms", "lower", "time to first token of the warm-up"),
    MetricInfo("overhead_ms", "Overhead", "ms", "lower", "time to first token minus the server's prompt time"),
    MetricInfo("prefill_tok_per_s", "Reading speed", "tok/s", "higher", "prompt tokens / time to first token"),
    MetricInfo("decode_tok_per_s", "Writing speed", "tok/s", "higher", "(tokens - 1) / (last arrival - first arrival)"),
    MetricInfo("server_decode_tok_per_s", "Writing speed (server)", "tok/s", "higher", "the server's own figure"),
    MetricInfo("itl_p50_ms", "Gap between tokens, median", "ms", "lower", "median gap between arrivals"),
    MetricInfo("itl_p95_ms", "Gap between tokens, p95", "ms", "lower", "95th percentile of the gaps"),
    MetricInfo("itl_max_ms", "Longest gap", "ms", "lower", "longest gap between two arrivals"),
    MetricInfo("e2e_ms", "Whole answer", "ms", "lower", "end minus sending the request"),
    MetricInfo("tokens_per_chunk", "Tokens per chunk", "tok", "neither", "tokens / events of the stream"),
    MetricInfo("prompt_tok", "Prompt length", "tok", "neither", "tokens of the prompt"),
    MetricInfo("completion_tok", "Answer length", "tok", "neither", "tokens of the answer"),
)

MODELS = (
    ("Llama-3.2-1B-Instruct", 1.24, "llama"),
    ("Qwen3-4B-Instruct", 4.02, "qwen3"),
    ("Mistral-7B-Instruct-v0.3", 7.25, "llama"),
    ("Llama-3.1-8B-Instruct", 8.03, "llama"),
    ("Gemma-3-12B-it", 12.2, "gemma3"),
)
QUANTS = (("Q4_K_M", 4.83), ("Q5_K_M", 5.67), ("Q6_K", 6.56), ("Q8_0", 8.5))
LOADS = (Load("short", 128, 128), Load("chat", 512, 256), Load("document", 2048, 256))

MACHINE = Machine(
    system="Linux 6.12",
    architecture="x86_64",
    cpu_model="AMD Ryzen 7 7840U",
    physical_cores=8,
    logical_cores=16,
    memory_bytes=33_554_432_000,
    memory_limit_bytes=33_554_432_000,
    swap_bytes=8_000_000_000,
    cpu_limit_cores=16.0,
    gpus=(),
    power_source="mains",
    governor="powersave",
    python_version="3.12.8",
)


def summary(models: int = 5, quants: int = 4, loads: int = 3, seed: int = 7) -> Summary:
    """``models x quants x loads`` cells, deterministic: a few skipped, failed and partial ones among them."""
    rng = random.Random(seed)
    names = [MODELS[i % 5] if i < 5 else (f"{MODELS[i % 5][0]}-{i}", MODELS[i % 5][1], "llama") for i in range(models)]
    levels = [QUANTS[i % 4] if i < 4 else (f"IQ{i}_XS", 3.0 + i / 4) for i in range(quants)]
    shapes = [LOADS[i % 3] if i < 3 else Load(f"load-{i}", 256 * i, 64) for i in range(loads)]
    targets, cells = [], []
    for (name, billions, arch), (quant, bits) in product(names, levels):
        target = _target(name, billions, arch, quant, bits, rng)
        own = [_cell(target, billions * bits / 8, load, rng) for load in shapes]
        targets.append(replace(target, rating=own[min(1, len(own) - 1)].rating))
        cells += own
    quality = _quality(targets, rng)
    return Summary(
        run_id="20261124T201500-3f9a",
        outcome="finished",
        started_unix_ns=1_795_551_300_000_000_000,
        duration_s=3725.4,
        version="0.1.0",
        plan_digest="9f31c2aa7be0d4e1",
        machine=MACHINE,
        settings={
            "run.quick": {"value": True, "origin": "flag --quick"},
            "models.quantizations": {"value": ["Q4_K_M", "Q5_K_M"], "origin": "llmtester.yaml"},
            "engine.load_timeout_s": {"value": 300.0, "origin": "default"},
        },
        notes=("The starter model was not needed.",),
        targets=tuple(targets),
        cells=tuple(cells),
        findings=(
            Finding("other_load", "warning", "Other programs used 14 % of all cores.", "Close them and run again."),
            Finding("governor", "note", "The frequency governor is powersave.", "Use performance for steady figures."),
        ),
        advice=_advice(targets, cells),
        metrics=METRICS,
        resumed_count=1,
        quality=quality,
        stress=(_stress(targets[0], cells[0]),),
        front=front(targets, cells, quality),
        usable_context=(_usable(targets[0], cells[0]),),
        forecast=(
            ForecastRow(targets[0].key, "decode_tok_per_s", Estimate(71.5, 60.25, 84.75, 3), 78.8125, -0.0928),
            ForecastRow(targets[0].key, "memory_peak_bytes", Estimate(1.5e9, 1.4e9, 1.6e9, 2), 1.448e9, 0.0359),
        ),
        wall_time_s={"measured": 3200.5, "server_start": 300.25, "warm_up": 224.5, "lost": 0.0},
    )


KINDS = ("arithmetic", "instructions", "logic", "reading")


def _quality(targets: list[TargetSummary], rng: random.Random) -> tuple[QualitySummary, ...]:
    """Every file that started beside the largest one of its model that did."""
    found = []
    for target in targets:
        siblings = [one for one in targets if one.model.name == target.model.name and not one.failure]
        if target in siblings:
            reference = max(siblings, key=lambda one: one.model.bits_per_weight or 0)
            found.append(_judged(target, None if target is reference else reference, rng))
    return tuple(found)


def _judged(target: TargetSummary, reference: TargetSummary | None, rng: random.Random) -> QualitySummary:
    bits = target.model.bits_per_weight or 4.0
    told = [15 + rng.randrange(8) for _ in KINDS]
    lost = [0 if reference is None else rng.randrange(3 if bits > 5 else 5) for _ in KINDS]
    parts = tuple(
        CategoryResult(kind, 24, right - less, right, less, 0, informative=True, degraded=less >= 4)
        for kind, right, less in zip(KINDS, told, lost, strict=True)
    )
    right, whole = sum(told) - sum(lost), sum(told)
    share = Estimate(right / 96, *wilson(right, 96), 96)
    tasks = Tasks(
        asked_count=96,
        correct_count=right,
        reference_correct_count=whole,
        worse_count=sum(lost),
        better_count=0,
        accuracy_ratio=share,
        reference_accuracy_ratio=Estimate(whole / 96, *wilson(whole, 96), 96),
        loss_ratio=Estimate(sum(lost) / 96, 0.0, 0.1, 96),
        loss_upper_ratio=0.09,
        p_value=0.2,
        p_value_holm=0.4,
        detectable_loss_ratio=0.07,
        categories=parts,
        outcomes={"correct": right, "wrong": 96 - right},
        lost_count=0,
    )
    apart = 0.004 * (9 - bits) ** 2
    followed = Fidelity(
        kl_nats=Estimate(apart, apart * 0.8, apart * 1.2, 32),
        kl_p99_nats=apart * 9,
        agreement_ratio=Estimate(1 - apart, 1 - apart * 1.2, 1 - apart * 0.8, 32),
        perplexity_ratio=Estimate(1 + apart, 1.0, 1 + 2 * apart, 32),
        positions_count=1280,
        floor_kl_nats=Estimate(0.0, 0.0, 0.0, 32),
        floor_agreement_ratio=Estimate(1.0, 1.0, 1.0, 32),
        within_noise=False,
        kl_nats_by_kind={"prose": apart},
    )
    example = DifferingAnswer("arithmetic.change.3", "He gets 7 coins back.\nAnswer: 7", "Answer: 9", "wrong")
    return QualitySummary(
        target=target.key,
        label=target.model.label,
        reference=reference.key if reference else None,
        reference_label=reference.model.label if reference else "",
        rating=Rating.GOOD if reference else Rating.NOT_RATED,
        words="good to acceptable" if reference else "reference",
        fidelity=followed if reference else Absent("others are compared with it"),
        tasks=tasks,
        stability=Absent("not asked"),
        warnings=("It loses arithmetic first: 9 of 24 wrong against 5.",) if max(lost) >= 4 else (),
        example=example if reference else None,
        sentence=f"{target.model.label}: GOOD. Of 96 questions {sum(lost)} came out differently.",
        details=("Right answers: ...", "KL divergence, truncated: ..."),
    )


def _usable(target: TargetSummary, cell: CellSummary) -> UsableContext:
    """Two depths that held and one that was too slow."""

    def step(depth: int, tok_per_s: float, because: str = "") -> ContextStep:
        found = Estimate(tok_per_s, tok_per_s * 0.97, tok_per_s * 1.03, 5)
        right = Estimate(0.875, 0.5, 0.98, 8)
        wait, none = Estimate(depth / 0.4, None, None, 5), Absent("this platform does not tell")
        limit: ContextLimit | None = "speed" if because else None
        return ContextStep(cell.key, depth, wait, found, found, right, found, none, limit, because)

    steps = (step(4096, 31.5), step(8192, 22.25), step(16384, 6.125, "writes 6.1 tok/s, less than 8"))
    usable = Estimate(8192.0, None, None, 5)
    sentence = "It works with about 6,000 words; beyond that it writes too slowly."
    return UsableContext(target.key, usable, "speed", "too slow at 16,384", Rating.GOOD, sentence, steps)


def _stress(target: TargetSummary, cell: CellSummary) -> StressResult:
    """Ten minutes that grow hot and a little slower."""

    def curve(start: float, end: float) -> Curve:
        return tuple(CurvePoint(float(at), start + (end - start) * at / 600 + at % 7 / 10) for at in range(0, 600, 2))

    return StressResult(
        cell=cell.key,
        target=target.key,
        duration_s=600.0,
        ended="",
        first_minute_tok_per_s=Estimate(80.0, 79.0, 81.0, 6),
        sustained_tok_per_s=Estimate(71.0, 70.0, 72.0, 30),
        sustained_ratio=Estimate(0.89, 0.87, 0.9, 30),
        drift_ratio=Estimate(-0.2, -0.25, -0.15, 60),
        steady_from_s=Estimate(240.0, None, None, 1),
        throttling="seen",
        throttling_because="the clock fell from 3,400 to 2,900 MHz while the temperature stayed at 92 °C",
        growth_bytes_per_hour=Estimate(1_000_000.0, -1_000_000.0, 3_000_000.0, 60),
        energy_j_per_tok=Absent("this machine measures no energy"),
        sentence="After four minutes it writes 11 % more slowly, because the processor is too hot.",
        speed_tok_per_s=curve(80, 70),
        temperature_c=curve(55, 92),
        frequency_mhz=curve(3400, 2900),
        memory_bytes=curve(1.4e9, 1.5e9),
    )


def _target(name: str, billions: float, arch: str, quant: str, bits: float, rng: random.Random) -> TargetSummary:
    size = int(billions * 1e9 * bits / 8)
    model = ModelRef(
        name, quant, f"/models/{name}-{quant}.gguf", size, f"{name}{quant}", arch, int(billions * 1e9), 32768, bits
    )
    facts = SessionFacts(
        engine="llama-server",
        build="b6700 (a1b2c3d)",
        command=("llama-server", "--model", model.path, "--ctx-size", "4096", "--host", "127.0.0.1", "--port", "0"),
        load_ns=int(size / 1.6),
        context_tok=4096,
        slots=1,
        capabilities=Capabilities(tokenize=True, timings=True, fixed_length=True, no_cache=True),
        process_id=4242,
        buffers=(Buffer("CPU", "model", size), Buffer("CPU", "KV cache", 512_000_000)),
        system_info="AVX2 = 1 | FMA = 1",
    )
    too_big = size > 12e9
    return TargetSummary(
        key=f"llama-server/{name}/{quant}/ab12cd",
        engine="llama-server",
        model=model,
        settings=ServerSettings(),
        facts=None if too_big else facts,
        starts_count=0 if too_big else 2,
        load_s=Absent("the server did not start") if too_big else _estimate(size / 1.6e9, 0.05, 2, rng)[0],
        memory_peak_bytes=Absent("the server did not start")
        if too_big
        else Estimate(float(size + 700_000_000), None, None, 1),
        failure="The server was killed: out of memory." if too_big else "",
        failure_fix="Choose a smaller quantization: llmtester run --quants Q4_K_M" if too_big else "",
        log_tail=("llama_model_load: loading model", "ggml: failed to allocate 12884901888 bytes") if too_big else (),
        rating=Rating.NOT_RATED,
        memory_expected_bytes=Estimate(size * 1.05 + 600_000_000, None, None, 1),
    )


def _estimate(centre: float, spread: float, trials: int, rng: random.Random) -> tuple[Estimate, tuple[float, ...]]:
    values = tuple(centre * (1 + rng.gauss(0, spread)) for _ in range(trials))
    middle = sorted(values)[trials // 2]
    return Estimate(middle, min(values), max(values), trials), values


def _cell(target: TargetSummary, gigabytes: float, load: Load, rng: random.Random) -> CellSummary:
    if target.failure:
        return _unmeasured(target, load, "failed", "The server was killed: out of memory.")
    if gigabytes > 8 and load.name == "document":
        return _unmeasured(target, load, "skipped", "Time to first token would be over 30 s (predicted 48 s).")
    trials = 3 if gigabytes > 7 else 7
    decode = 62 / gigabytes**0.93 / (1 + load.prompt_tok / 20_000)
    prefill = 420 / gigabytes
    ttft = load.prompt_tok / prefill * 1000 + 18
    centres = {
        "ttft_ms": (ttft, 0.02),
        "ttft_cold_ms": (ttft * 1.6, 0.05),
        "overhead_ms": (14.0, 0.2),
        "prefill_tok_per_s": (prefill, 0.02),
        "decode_tok_per_s": (decode, 0.015),
        "server_decode_tok_per_s": (decode * 1.004, 0.015),
        "itl_p50_ms": (1000 / decode, 0.015),
        "itl_p95_ms": (1180 / decode, 0.03),
        "itl_max_ms": (1900 / decode, 0.3),
        "e2e_ms": (ttft + load.output_tok / decode * 1000, 0.02),
        "prompt_tok": (float(load.prompt_tok), 0.0),
        "completion_tok": (float(load.output_tok), 0.0),
    }
    metrics: dict[str, Measured] = {"tokens_per_chunk": Absent("the server sent no token counts")}
    per_trial = {}
    for name, (centre, spread) in centres.items():
        metrics[name], per_trial[name] = _estimate(centre, spread, trials, rng)
    partial = trials == 3 and load.name == "chat"
    rating = _rating(decode, ttft)
    own = (
        (Finding("wide_interval", "note", f"The interval of {target.model.label} is wide.", "Run more trials.", None),)
        if partial
        else ()
    )
    return CellSummary(
        key=f"{target.key}/interactive/{load.name}",
        target=target.key,
        profile="interactive",
        load=load,
        status="partial" if partial else "done",
        reason="stopped after 3 of 5 trials" if partial else "",
        trials_count=trials,
        samples_ok_count=trials,
        samples_failed_count=1 if partial else 0,
        metrics=metrics,
        per_trial=per_trial,
        rating=rating,
        rating_because="decode_tok_per_s",
        meaning=f"Writes about {decode / 5.3:.1f} times as fast as you read and starts after {ttft / 1000:.1f} s.",
        findings=own,
    )


def _unmeasured(target: TargetSummary, load: Load, status: str, reason: str) -> CellSummary:
    return CellSummary(
        key=f"{target.key}/interactive/{load.name}",
        target=target.key,
        profile="interactive",
        load=load,
        status=status,  # type: ignore[arg-type]  # one of the literals, chosen by the two callers above
        reason=reason,
        trials_count=0,
        samples_ok_count=0,
        samples_failed_count=0,
        metrics={info.name: Absent(reason) for info in METRICS},
        per_trial={},
        rating=Rating.FAILED if status == "failed" else Rating.NOT_RATED,
        rating_because="",
        meaning="",
        findings=(),
    )


def _rating(decode: float, ttft: float) -> Rating:
    if decode > 25 and ttft < 1500:
        return Rating.EXCELLENT
    if decode > 12 and ttft < 4000:
        return Rating.GOOD
    if decode > 6 and ttft < 12_000:
        return Rating.ACCEPTABLE
    return Rating.POOR


def _advice(targets: list[TargetSummary], cells: list[CellSummary]) -> tuple[Advice, ...]:
    def on(index: int, load: str) -> tuple[str, ...]:
        wanted = targets[min(index, len(targets) - 1)].key
        return tuple(cell.key for cell in cells if cell.target == wanted and cell.load.name == load)

    def key(index: int) -> str:
        return targets[min(index, len(targets) - 1)].key

    return (
        Advice(
            use="chat",
            verdict="For chat on this machine, use Qwen3-4B-Instruct at Q4_K_M.",
            winner=key(4),
            ties=(key(5),),
            certainty="fairly sure",
            why=(
                "It writes about four times as fast as you read and starts to answer after 2.5 seconds.",
                "Q5_K_M of the same model is within the noise of it: choose either.",
                "Larger models take more than 4 seconds before the first word.",
            ),
            cells=on(4, "chat"),
            rating=Rating.GOOD,
            profiles=("interactive",),
            metric="decode_tok_per_s",
            floor="rated good or better in the interactive profile",
            cautions=("Avoid Llama-3.2-1B-Instruct Q4_K_M for figures: 9 of 24 sums wrong; Q6_K gets 5 wrong.",),
            changes=("On a machine 1.4 times as fast, Llama-3.1-8B-Instruct Q4_K_M would be the choice.",),
            runner_up=key(5),
            command="llama-server --model /models/Qwen3-4B.gguf --host 127.0.0.1 --port 8080 --ctx-size 4096",
            modelfile="FROM /models/Qwen3-4B.gguf\nPARAMETER num_ctx 4096\n",
        ),
        Advice(
            use="long documents",
            verdict="For long documents, use Llama-3.2-1B-Instruct at Q4_K_M.",
            winner=key(0),
            ties=(),
            certainty="sure",
            why=("It is the only model that starts to answer a 2,048-token document within 4 seconds.",),
            cells=on(0, "document"),
        ),
        Advice(
            use="coding",
            verdict="No model here is good enough for coding: quality was not measured.",
            winner=None,
            ties=(),
            certainty="cannot say",
            why=("The quality profile was skipped.",),
            cells=(),
            basis="not measured",
            next_command="llmtester run --profiles interactive,quality",
        ),
    )


def interrupted(base: Summary | None = None) -> Summary:
    """A run that was stopped: the second half of its cells is pending and there is no advice."""
    whole = base or summary()
    half = len(whole.cells) // 2
    rest = tuple(
        replace(
            cell,
            status="pending",
            reason="the run was interrupted",
            metrics={},
            per_trial={},
            trials_count=0,
            samples_ok_count=0,
            rating=Rating.NOT_RATED,
            meaning="",
            findings=(),
        )
        for cell in whole.cells[half:]
    )
    return replace(whole, outcome="interrupted", cells=whole.cells[:half] + rest)


def long_names() -> Summary:
    """One model whose name is a single long word, in the verdict too."""
    whole = summary(1, 1, 3)
    target, name = whole.targets[0], "SmolLM2-1.7B-Instruct-v0.3"
    named = replace(target, model=replace(target.model, name=name))
    advice = replace(whole.advice[0], verdict=f"Use {name} Q4_K_M for chat: it is good here.")
    return replace(
        whole, targets=(named,), advice=(advice,), quality=(), stress=(), front=(), usable_context=(), forecast=()
    )


def empty() -> Summary:
    """A run in which nothing was planned or measured."""
    return replace(
        summary(1, 1, 1),
        targets=(),
        cells=(),
        advice=(),
        findings=(),
        notes=(),
        outcome="unfinished",
        quality=(),
        stress=(),
        front=(),
        usable_context=(),
        forecast=(),
        wall_time_s={},
    )


def poisoned() -> Summary:
    """A run in which every text from outside, and every text made from it, carries something hostile."""
    whole = summary(5, 4, 1)
    bad = [POISON[i % len(POISON)] for i in range(len(whole.targets))]
    renamed = {}
    targets = []
    for target, text in zip(whole.targets, bad, strict=True):
        key = f"{text}/{target.key}"
        renamed[target.key] = key
        facts = target.facts and replace(
            target.facts,
            engine=text,
            build=text,
            command=(text, "--model", text),
            system_info=text,
            buffers=(Buffer(text, text, 1),),
        )
        model = replace(
            target.model,
            name=text,
            quantization=text[:40],
            path=text,
            architecture=text,
            licence=text,
            fingerprint=key,
        )
        targets.append(
            replace(
                target,
                key=key,
                engine=text,
                model=model,
                facts=facts,
                failure=target.failure and text,
                failure_fix=text,
                log_tail=(text, text),
            )
        )
    cells = []
    for index, cell in enumerate(whole.cells):
        text = bad[index % len(bad)]
        load = replace(cell.load, name=text)
        metrics: dict[str, Measured] = dict(cell.metrics) | {"tokens_per_chunk": Absent(text)}
        cells.append(
            replace(
                cell,
                key=f"{text}/{cell.key}",
                target=renamed[cell.target],
                profile=text,
                load=load,
                reason=text,
                rating_because=text,
                meaning=text,
                metrics=metrics,
                findings=(Finding(text, "severe", text, text, text),),
            )
        )
    every = " ".join(POISON[:-1])
    return replace(
        whole,
        run_id=POISON[0],
        version=POISON[1],
        plan_digest=POISON[2],
        notes=POISON,
        machine=replace(whole.machine, cpu_model=every, system=POISON[0], gpus=POISON, governor=POISON[3]),
        settings={text[:60]: {"value": text, "origin": text} for text in POISON},
        targets=tuple(targets),
        cells=tuple(cells),
        findings=tuple(Finding(text, "warning", text, text, text) for text in POISON),
        advice=tuple(
            Advice(
                text,
                text,
                targets[i].key,
                (targets[i - 1].key,),
                text,
                (text, every),
                (cells[i].key,),
                metric=text,
                floor=text,
                cautions=(text,),
                changes=(text, every),
                runner_up=targets[i - 1].key,
                next_command=text,
                command=text,
                modelfile=text,
            )
            for i, text in enumerate(POISON)
        ),
        quality=tuple(with_poison(one, renamed) for one in whole.quality),
        stress=tuple(with_poison(one, renamed) for one in whole.stress),
        front=tuple(with_poison(one, renamed) for one in whole.front),
        usable_context=tuple(with_poison(one, renamed) for one in whole.usable_context),
        forecast=tuple(with_poison(one, renamed) for one in whole.forecast),
        wall_time_s=dict(zip(POISON, range(1, 99), strict=False)),
        metrics=tuple(replace(info, title=f"{info.title} {POISON[0]}", formula=every) for info in whole.metrics),
    )


T = TypeVar("T")


def with_poison(value: T, renamed: dict[str, str], place: int = 0) -> T:
    """A copy of a dataclass in which every free text is hostile; keys of targets follow ``renamed``."""
    hints = get_type_hints(type(value))
    changed = {}
    for index, field in enumerate(fields(value)):  # type: ignore[arg-type]  # callers give dataclasses only
        old = getattr(value, field.name)
        changed[field.name] = _poison(old, str(hints[field.name]), renamed, place + index)
    return replace(value, **changed)  # type: ignore[type-var]


def _poison(old: Any, hint: str, renamed: dict[str, str], place: int) -> Any:
    text = POISON[place % len(POISON)]
    if isinstance(old, str) and not isinstance(old, Enum) and "Literal" not in hint:
        return renamed.get(old, text)
    if isinstance(old, tuple):
        return tuple(_poison(one, hint, renamed, place + index) for index, one in enumerate(old))
    if is_dataclass(old) and not isinstance(old, type) and type(old) is not CurvePoint:
        return with_poison(old, renamed, place + 1)
    return old
