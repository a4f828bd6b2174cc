"""Is this machine ready to measure? A table of checks, each a pure function of what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from llmtester.api.machine_look import Folder, Observed, look
from llmtester.domain.installing import install_command
from llmtester.domain.records import Available, Missing
from llmtester.domain.text import human_bytes, printable
from llmtester.settings import Loaded

Verdict: TypeAlias = Literal["ok", "warn", "fail"]

LOW_MEMORY_BYTES = 1_500_000_000
"""Too little for the starter model, its cache and a browser beside them."""
LOW_DISK_BYTES = 1_000_000_000
USEFUL_DISK_BYTES = 10_000_000_000
"""About two files of a model of seven billion weights at four bits."""
BUSY_RATIO = 0.10
"""Work of others that the report doubts a measurement for (``analysis.findings``, other load)."""
SWAP_IN_USE_RATIO = 0.25
HOT_C = 85.0
SEEN_CORES = 0.05
SLOW_GOVERNORS = ("powersave", "conservative", "ondemand")
"""They raise the clock only after a while of load, so short trials are measured slower than long ones."""


@dataclass(frozen=True, slots=True)
class Check:
    """One answer: what was looked at, the verdict, what was seen, and what to do where it is not ``ok``."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


def examine(loaded: Loaded, *, offline: bool = False) -> tuple[Check, ...]:
    """Every check in the order of ``CHECKS``. ``offline`` asks nothing of the network."""
    return judge(look(loaded, offline=offline))


def judge(seen: Observed) -> tuple[Check, ...]:
    """The verdicts about ``seen``; all text in them is printable."""
    answers = (Check(name, *check(seen)) for name, check in CHECKS.items())
    return tuple(
        Check(each.name, each.verdict, printable(each.detail, 500), printable(each.fix, 500)) for each in answers
    )


Answer: TypeAlias = tuple[Verdict, str, str]


def _program(seen: Observed) -> Answer:
    settings = f"settings from {seen.settings_file}" if seen.settings_file else "settings: all defaults"
    return "ok", f"llmtester {seen.version}, Python {seen.python} ({seen.python_path}); {settings}", ""


def _settings(seen: Observed) -> Answer:
    if not seen.settings_notes:
        return "ok", "every LLMTESTER_ variable of the environment is known", ""
    return "warn", "; ".join(seen.settings_notes), "rename it or unset it"


def _machine(seen: Observed) -> Answer:
    machine = seen.machine
    cores = f"{machine.physical_cores} cores, {machine.logical_cores} threads"
    detail = f"{machine.cpu_model}, {cores}, {machine.system} {machine.architecture}"
    if machine.cpu_limit_cores < machine.physical_cores:
        limit = f"; only {machine.cpu_limit_cores:g} cores may be used"
        return "warn", detail + limit, "results hold for this limit (container, affinity); lift it to measure it all"
    return "ok", detail, ""


def _graphics(seen: Observed) -> Answer:
    if not seen.machine.gpus:
        return "ok", "no graphics processor; models run on the processor", ""
    detail = ", ".join(seen.machine.gpus)
    if seen.engine == "embedded" and not seen.machine.system.startswith("Darwin"):
        fix = "install a llama-server built for it: --set engine.llama_server=PATH (llmtester docs engines)"
        return "warn", f"{detail}; the built-in engine does not use it", fix
    return "ok", detail, ""


def _engine(seen: Observed) -> Answer:
    found = [
        f"{name} {state.build}" if isinstance(state, Available) else f"no {name} ({state.reason})"
        for name, state in seen.engines
    ]
    if seen.engine is None:
        fixes = [state.fix for _, state in seen.engines if isinstance(state, Missing)]
        return "fail", seen.engine_problem or "; ".join(found), fixes[-1] if fixes else install_command("xllamacpp")
    why = _why_chosen(seen)
    return "ok", f"{seen.engine} is used, {why}; found: {', '.join(found)}", ""


def _why_chosen(seen: Observed) -> str:
    available = [name for name, state in seen.engines if isinstance(state, Available)]
    if available[:1] != [seen.engine]:
        return "because the settings name it"
    if seen.engine == "llama-server":
        return "because one that you installed may know the graphics processor"
    return "because there is no llama-server here"


def _memory(seen: Observed) -> Answer:
    free_bytes = seen.reading.memory_available_bytes
    detail = f"{human_bytes(free_bytes)} of {human_bytes(seen.machine.memory_limit_bytes)} free"
    if free_bytes < LOW_MEMORY_BYTES:
        return "fail", detail, "close other programs: even the smallest model needs 1.5 GB"
    return "ok", f"{detail}; llmtester models list says what fits", ""


def _swap(seen: Observed) -> Answer:
    used_bytes, total_bytes = seen.reading.swap_used_bytes, seen.machine.swap_bytes
    if not total_bytes:
        return "ok", "no swap; a model that does not fit fails at once instead of crawling", ""
    detail = f"{human_bytes(used_bytes)} of {human_bytes(total_bytes)} in use"
    if used_bytes > SWAP_IN_USE_RATIO * total_bytes:
        return "warn", detail, "close other programs or restart: what is swapped out comes back while you measure"
    return "ok", detail, ""


def _disk(seen: Observed) -> Answer:
    models = next(folder for folder in seen.folders if folder.purpose == "models")
    runs = next(folder for folder in seen.folders if folder.purpose == "runs")
    known = [folder for folder in (models, runs) if folder.free_bytes is not None]
    if not known:
        return "warn", "the free space cannot be told", "check it yourself before you fetch a model"
    detail = "; ".join(f"{_free(folder)} free for {folder.purpose} in {folder.path}" for folder in known)
    least = min(folder.free_bytes or 0 for folder in known)
    fix = "free some space, or set another folder: --set models.folders=[DIR], --output-dir DIR"
    if least < LOW_DISK_BYTES:
        return "fail", detail, fix
    return ("warn", detail, fix) if (models.free_bytes or 0) < USEFUL_DISK_BYTES else ("ok", detail, "")


def _free(folder: Folder) -> str:
    return human_bytes(folder.free_bytes) if folder.free_bytes is not None else "unknown space"


def _folders(seen: Observed) -> Answer:
    bad = [folder for folder in seen.folders if folder.problem]
    if bad:
        detail = "; ".join(f"{folder.purpose}: {folder.path}: {folder.problem}" for folder in bad)
        return "fail", detail, "make it writable, or choose another: --output-dir DIR, --set models.folders=[DIR]"
    return "ok", ", ".join(f"{folder.purpose} {folder.path}" for folder in seen.folders), ""


def _models(seen: Observed) -> Answer:
    broken = f", {seen.unusable_count} that cannot be used" if seen.unusable_count else ""
    if not seen.models_count:
        return "warn", f"no model yet{broken}", "llmtester models pull (or: llmtester models pull starter, 98 MB)"
    detail = f"{seen.models_count} on this machine{broken}"
    return ("warn", detail, "llmtester models verify says what is wrong") if broken else ("ok", detail, "")


def _sensors(seen: Observed) -> Answer:
    reading = seen.reading
    seen_c = f"{reading.temperature_c:.0f} °C" if reading.temperature_c is not None else ""
    seen_mhz = f"{reading.frequency_mhz:.0f} MHz" if reading.frequency_mhz is not None else ""
    detail = ", ".join(filter(None, (seen_c, seen_mhz)))
    if reading.temperature_c is not None and reading.temperature_c > HOT_C:
        return "warn", f"{detail}: hot before anything started", "let it cool down and clear the air vents"
    if seen_c and seen_mhz:
        return "ok", detail, ""
    missing = " and ".join(word for word, value in (("temperature", seen_c), ("frequency", seen_mhz)) if not value)
    return "ok", f"{detail or 'none'}; no {missing} to be seen here, so throttling is judged by speed alone", ""


def _power(seen: Observed) -> Answer:
    if seen.machine.power_source == "battery":
        return "warn", "on battery", "plug it in: on battery most machines are slower, and not evenly so"
    return "ok", seen.machine.power_source or "no battery, so mains", ""


def _governor(seen: Observed) -> Answer:
    governor = seen.machine.governor
    if governor is None:
        return "ok", "the system does not show one", ""
    if governor in SLOW_GOVERNORS:
        fix = "for steadier results: sudo cpupower frequency-set -g performance"
        return "warn", f"{governor}: clock speed rises late", fix
    return "ok", governor, ""


def _others(seen: Observed) -> Answer:
    ratio = seen.reading.other_cpu_ratio
    if ratio is None:
        return "ok", "the system does not say", ""
    detail = f"other programs use {ratio:.0%} of the processor"
    if ratio <= BUSY_RATIO:
        return "ok", detail, ""
    names = ", ".join(
        f"{each.name} ({each.process_id}, {each.cores:.1f} cores)" for each in seen.busy if each.cores >= SEEN_CORES
    )
    return "warn", f"{detail}: {names}", "close them or wait; a run beside them is reported as doubtful"


def _stale(seen: Observed) -> Answer:
    if not seen.stale_server_ids:
        return "ok", "none", ""
    listed = ", ".join(map(str, seen.stale_server_ids))
    return "warn", f"left behind by a llmtester that was killed: process {listed}", "the next run ends them by itself"


def _loopback(seen: Observed) -> Answer:
    if seen.port_problem:
        fix = "allow programs to listen on 127.0.0.1 (firewall, sandbox)"
        return "fail", f"no port of 127.0.0.1: {seen.port_problem}", fix
    return "ok", "a port of 127.0.0.1 can be had", ""


def _hub(seen: Observed) -> Answer:
    if not seen.hub_asked:
        return "ok", "not asked (--offline)", ""
    if seen.hub_problem:
        fix = "measuring needs no network; to fetch models check the connection, or set HF_ENDPOINT to a mirror"
        return "warn", f"cannot be reached: {seen.hub_problem}", fix
    return "ok", "answers", ""


CHECKS: dict[str, Callable[[Observed], Answer]] = {
    "llmtester": _program,
    "environment": _settings,
    "machine": _machine,
    "graphics": _graphics,
    "engine": _engine,
    "memory": _memory,
    "swap": _swap,
    "disk": _disk,
    "folders": _folders,
    "models": _models,
    "sensors": _sensors,
    "power": _power,
    "governor": _governor,
    "other programs": _others,
    "stale servers": _stale,
    "local ports": _loopback,
    "model hub": _hub,
}
"""Name of a check to how it is judged; in the order in which they are shown."""


def check_lines(checks: tuple[Check, ...]) -> Iterator[str]:
    """One line for each check, its fix indented beneath, and a last line that sums them up."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{check.verdict:<4}  {check.name:<{width}}  {check.detail}"
        if check.fix:
            yield f"{'':<4}  {'':<{width}}  fix: {check.fix}"
    counts = {verdict: sum(check.verdict == verdict for check in checks) for verdict in ("fail", "warn")}
    if counts["fail"]:
        yield f"Not ready: {counts['fail']} to correct, {counts['warn']} to know about."
    elif counts["warn"]:
        yield f"Ready, with {counts['warn']} to know about."
    else:
        yield "Ready."
