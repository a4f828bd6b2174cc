"""What people do wrong, as a table: what they prepare, what they type, the exit code, and words of the message.

``MISUSES`` maps a name to a ``Misuse``. Everything can be tried in one process; what needs a process of its
own (signals) is in ``test_misuse``.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.models.ggufs import gguf_bytes, llama_metadata, llama_tensors

RUN_ID = "20261124-120000-1a2b"
FAST = "fast?ttft_ms=1&decode_tok_per_s=5000:Q4_K_M"
FAKE = ("run", "--engine", "fake", "--models", FAST, "--display", "none")


@dataclass(frozen=True, slots=True)
class Misuse:
    """``words`` typed after ``prepare`` (in the working folder, which is also HOME), with ``environment`` set."""

    words: tuple[str, ...]
    code: int
    says: str
    prepare: Callable[[Path], None] = lambda home: None
    environment: tuple[tuple[str, str], ...] = ()


def writes(name: str, content: str | bytes) -> Callable[[Path], None]:
    """Prepares a file."""

    def prepare(home: Path) -> None:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return prepare


def record(kind: str, data: object, seq: int = 0) -> bytes:
    """A line as the journal writes it."""
    body = json.dumps({"seq": seq, "kind": kind, "data": data}, separators=(",", ":")).encode()[:-1]
    return body + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode()


def flags() -> Iterator[tuple[str, Misuse]]:
    """Words that no command knows, and words that are missing."""
    for words, says in {
        ("rum",): "'run'",
        ("reprot",): "'report'",
        ("docter",): "'doctor'",
        ("model",): "'models'",
        ("frobnicate",): "llmtester --help",
        ("--frobnicate",): "llmtester --help",
        ("models", "lst"): "'list'",
        ("models", "download"): "llmtester models --help",
        ("quality", "refrence"): "'reference'",
        ("quality", "reference", "imprt"): "'import'",
        ("config", "shw"): "'show'",
        ("run", "--quik"): "--quick",
        ("run", "--modles", "x"): "--models",
        ("run", "--engin", "x"): "--engine",
        ("run", "--jsn"): "--json",
        ("report", "--formt", "md"): "--format",
        ("compare", "--jsno", "a", "b"): "--json",
        ("watch", "--rns", "x"): "--runs",
        ("serve", "--prt", "1", "x"): "--port",
        ("doctor", "--ofline"): "--offline",
        ("models", "list", "--foldr", "x"): "--folder",
        ("models", "pull", "--qunts", "x"): "--quants",
        ("models", "rm", "x", "--fource"): "--force",
        ("config", "init", "--forc"): "--force",
        ("config", "show", "--orign"): "--origin",
        ("run", "--engine"): "--engine",
        ("run", "--set"): "--set",
        ("report", "--format"): "--format",
        ("serve", "--port"): "--port",
        ("doctor", "--config"): "--config",
        ("models", "info"): "NAME",
        ("models", "rm"): "NAME",
        ("compare",): "BEFORE",
        ("compare", "latest"): "AFTER",
        ("quality", "reference", "export"): "RUN",
        ("quality", "reference", "export", "latest"): "FILE",
        ("quality", "reference", "import"): "FILE",
        ("run", "one", "two"): "two",
        ("compare", "a", "b", "c"): "c",
        ("watch", "a", "b"): "b",
        ("models", "list", "extra"): "extra",
        ("doctor", "extra"): "extra",
        ("serve", "--port", "abc", "x"): "--port",
        ("serve", "--port", "0", "x"): "--port",
        ("serve", "--port", "99999", "x"): "--port",
        ("models", "pull", "--json"): "which model?",
        ("models", "pull", "ftp://host/a.gguf"): "only http",
        ("serve",): "serve --from latest",
        ("serve", "x", "--from", "latest"): "serve --from latest",
        ("run", "--resume", "--engine", "fake"): "without --resume",
        ("run", "--resume", "--quick"): "without --resume",
        ("run", "--resume", "--full"): "without --resume",
        ("run", RUN_ID): "run --resume",
        (*FAKE, "--profiles", "interactiv"): "interactive",
        (*FAKE, "--profiles", "nothing-like-it"): "interactive",
        (*FAKE, "--display", "loud"): "plain",
        (*FAKE, "--log-level", "shout"): "log_level",
        ("run", "--engine", "emdedded"): "embedded",
        ("run", "--engine", "llama_server"): "llama-server",
        ("run", "--engine", "fake", "--models", "a?tftt_ms=1"): "ttft_ms",
        ("run", "--engine", "fake", "--models", "a?ttft_ms=soon"): "ttft_ms",
        ("run", "--engine", "fake", "--models", "a?ttft_ms"): "a?ttft_ms",
        ("doctor", "--engine", "nosuch", "--offline"): "known",
        ("run", "--set", "nonsense"): "NAME=VALUE",
        ("run", "--set", "=1"): "NAME=VALUE",
        ("run", "--set", "server.slots=1", "--set", "server.slots=2"): "twice",
        ("run", "--set", "server.slot=2"): "server.slots",
        ("config", "show", "--set", "contextok=2"): "server.context_tok",
    }.items():
        yield f"types {' '.join(words)}", Misuse(words, 2, says)


def settings() -> Iterator[tuple[str, Misuse]]:
    """Values that a setting cannot have, in each place where a value can be given."""
    for pair in (
        "server.slots=0",
        "server.slots=two",
        "server.slots=-1",
        "server.context_tok=4096.5",
        "server.context_tok=1e99",
        "server.flash_attention=maybe",
        "server.cache_type_k=f17",
        "server.memory_map=perhaps",
        "engine.load_timeout_s=inf",
        "engine.load_timeout_s=nan",
        "engine.load_timeout_s=0",
        "engine.url=localhost",
        "engine.url=ftp://127.0.0.1",
        "engine.url=http://me:secret@host",
        "run.seed=random",
        "run.quick=sometimes",
        "display=loud",
        "log_level=shout",
        "ratings.ttft_ms=[1,2]",
        "ratings.ttft_ms=[3,2,1]",
        "ratings.nosuch=[1,2,3]",
        "profiles.interactive.max_trials=0",
        "server.threads=many",
        "server.gpu_layers=-5",
    ):
        name = pair.partition("=")[0]
        yield f"sets {pair}", Misuse(("config", "show", "--set", pair), 2, name)
    for content, says in {
        "server:\n\tslots: 2\n": "tab",
        "server: {slots: 1\n": "YAML",
        "server:\n  contxt_tok: 1\n": "server.context_tok",
        "sever:\n  slots: 1\n": "server",
        "server:\n  slots: 1\n  slots: 2\n": "first in line 2",
        "server: 5\n": "section",
        "a: &anchor 1\n": "anchors",
        "a: !!python/object/apply:os.system [x]\n": "tag",
        "- a\n": "name: value",
        "a: 1\n---\nb: 2\n": "YAML",
        "models:\n  quants: Q4_0\n": "[a, b]",
        "models:\n  quants: [Q4_0, 8]\n": "quotes",
        "server:\n  context_tok: '4096'\n": "whole number",
        "server:\n  batch_tok: 8\n  micro_batch_tok: 16\n": "batch_tok",
        "ratings:\n  ttft: [1, 2, 3]\n": "ttft_ms",
        "profiles:\n  enabled: interactive\n": "[a, b]",
        "\x1b]0;evil\x07: 1\n": "wrong.yaml",
    }.items():
        words = ("config", "show", "--config", "wrong.yaml")
        yield f"writes {content!r}", Misuse(words, 2, says, writes("wrong.yaml", content))
    for name, raw in {"utf-16": b"\xff\xfe\x00", "null": b"a: \x00\n", "latin-1": b"a: \xe4\n"}.items():
        yield f"writes {name}", Misuse(("doctor", "--config", "wrong.yaml"), 2, "wrong.yaml", writes("wrong.yaml", raw))
    for variable, says in {
        "LLMTESTER_SERVER_SLOTS": "LLMTESTER_SERVER__SLOTS",
        "LLMTESTER_SERVER__SLOT": "LLMTESTER_SERVER__SLOTS",
        "LLMTESTER_LOGLEVEL": "LLMTESTER_LOG_LEVEL",
        "LLMTESTER_SERVER__SLOTS": "server.slots",
        "LLMTESTER_ENGINE__URL": "engine.url",
    }.items():
        yield f"exports {variable}", Misuse(("config", "show"), 2, says, environment=((variable, "many"),))
    yield "a missing settings file", Misuse(("run", "--config", "none.yaml"), 2, "llmtester config init")
    yield "a folder as settings file", Misuse(("config", "show", "--config", "."), 2, "cannot be read")
    yield (
        "a broken file beside us",
        Misuse(("models", "list"), 2, "llmtester.yaml:2", writes("llmtester.yaml", "server: [\n")),
    )
    yield "init over a file", Misuse(("config", "init"), 6, "--force", writes("llmtester.yaml", "# mine\n"))
    yield "init into nowhere", Misuse(("config", "init", "no/such/a.yaml"), 6, "create its folder")
    yield "init onto a file as folder", Misuse(("config", "init", "f/a.yaml"), 6, "another path", writes("f", ""))


def models() -> Iterator[tuple[str, Misuse]]:
    """Names and files of models that are not there, not whole, not models."""
    whole = gguf_bytes(llama_metadata(), llama_tensors())
    folder = ("--folder", "m")
    yield "info of nothing", Misuse(("models", "info", "nosuch"), 5, "llmtester models")
    yield "info of a folder", Misuse(("models", "info", "m", *folder), 5, "llmtester models", writes("m/a.gguf", whole))
    yield "docs of nothing", Misuse(("docs", "nothing-mached"), 5, "fix: llmtester docs nothing-matched")
    yield "rm of nothing", Misuse(("models", "rm", "nosuch", "--yes"), 5, "llmtester models")
    yield "rm unasked", Misuse(("models", "rm", "a", *folder), 6, "--yes", writes("m/a.gguf", whole))
    yield "rm of a stranger", Misuse(("models", "rm", "a", "--yes", *folder), 6, "--force", writes("m/a.gguf", whole))
    yield "verify of nothing", Misuse(("models", "verify"), 5, "llmtester models pull")
    yield "pull of nonsense", Misuse(("models", "pull", "nonsense"), 5, "owner/repository")
    yield (
        "pull of a slip",
        Misuse(("models", "pull", "qwen2.5-7:Q8_0"), 5, "models pull qwen2.5-7b:Q8_0"),
    )
    yield "rm of what was not pulled", Misuse(("models", "rm", "qwen3-8b", "--yes"), 5, "models pull qwen3-8b")
    yield (
        "info of a slip",
        Misuse(("models", "info", "tinny", *folder), 5, "did you mean Tiny?", writes("m/a.gguf", whole)),
    )
    yield "pull of an absent quantization", Misuse(("models", "pull", "starter:Q8_0"), 5, "there is Q4_1")
    yield "pull of absent quants", Misuse(("models", "pull", "starter", "--quants", "Q4_1,Q8_0"), 5, "there is Q4_1")
    yield "info of an absent quantization", Misuse(("models", "info", "starter:Q8_0"), 5, "there is Q4_1")
    for words in (("list",), ("info", "x"), ("verify",), ("rm", "x", "--yes")):
        missing = ("models", *words, "--folder", "nope")
        yield f"{words[0]} in a missing folder", Misuse(missing, 2, "--folder nope")
        yield f"{words[0]} in a file", Misuse((*missing[:-1], "f"), 2, "it is a file", writes("f", ""))
    yield "pull into a file", Misuse(("models", "pull", "./x.gguf", "--folder", "f"), 2, "fix:", writes("f", ""))
    yield "pull out of the folder", Misuse(("models", "pull", "a/../b"), 2, "fix:")
    yield "pull of an absent file", Misuse(("models", "pull", "./none.gguf"), 2, "fix:")
    yield "pull of three parts", Misuse(("models", "pull", "a/b/c/d"), 2, "fix:")
    hub = (("HF_ENDPOINT", "not an address"),)
    yield "pull from no address", Misuse(("models", "pull", "a/b"), 2, "HF_ENDPOINT", environment=hub)
    yield "a catalog that is not there", Misuse(("models", "list", "--config", "c.yaml"), 2, "catalog", _catalog(None))
    bad = "models:\n  - {name: x, source: ../../etc, quants: [Q8_0]}\n"
    yield "a catalog that climbs", Misuse(("models", "pull", "x", "--config", "c.yaml"), 2, "fix:", _catalog(bad))
    yield "a catalog of rubbish", Misuse(("models", "list", "--config", "c.yaml"), 2, "fix:", _catalog("models: 3\n"))
    embedded = ("run", "--engine", "embedded", "--set", "models.folders=[m]", "--display", "none")
    for name, content in {
        "empty": b"",
        "magic only": b"GGUF",
        "cut header": whole[:40],
        "half": whole[: len(whole) // 2],
        "text": b"this is no model" * 10,
        "future": b"GGUF" + (99).to_bytes(4, "little") + whole[8:],
        "endless": whole[:8] + b"\xff" * 16 + whole[24:],
    }.items():
        yield f"run of a file that is {name}", Misuse(embedded, 6, "fix:", writes("m/a.gguf", content))
        yield (
            f"info of a file that is {name}",
            Misuse(("models", "info", "a.gguf", *folder), 6, "fix:", writes("m/a.gguf", content)),
        )
    yield "run without any model", Misuse(("run", "--engine", "embedded"), 5, "models pull starter")
    yield "run of an absent model", Misuse((*embedded, "--models", "b"), 5, "models list", writes("m/a.gguf", whole))
    yield "run of what was not pulled", Misuse((*embedded, "--models", "qwen3-8b"), 5, "models pull qwen3-8b")
    yield "run of a name without any model", Misuse(("run", "--yes", "--models", "x"), 5, "models pull starter")
    yield "run of an absent quant", Misuse((*embedded, "--quants", "Q9"), 5, "models list", writes("m/a.gguf", whole))
    yield "run of an absent fake", Misuse(("run", "--engine", "fake", "--models", "nosuch"), 5, "llmtester models list")
    yield "run with no such program", Misuse(("run", "--engine", "llama-server"), 6, "engine.llama_server")
    program = ("run", "--engine", "llama-server", "--set", "engine.llama_server=p")
    yield "run with a text as program", Misuse(program, 6, "engine.llama_server", writes("p", "text"))
    nobody = ("--set", "engine.url=http://127.0.0.1:9")
    for engine in ("openai", "ollama", "vllm", "lmstudio"):
        yield f"nobody answers for {engine}", Misuse(("run", "--engine", engine, *nobody), 6, "fix:")
    yield "serve of nothing", Misuse(("serve", "nosuch", "--engine", "fake"), 5, "fix:")
    yield "serve of the fake", Misuse(("serve", FAST, "--engine", "fake"), 2, "--engine embedded")
    yield "serve with no profile", Misuse(("serve", FAST, "--engine", "fake", "--profile", "nosuch"), 2, "interactive")


def _catalog(content: str | None) -> Callable[[Path], None]:
    def prepare(home: Path) -> None:
        writes("c.yaml", "models:\n  catalog: cat.yaml\n")(home)
        if content is not None:
            writes("cat.yaml", content)(home)

    return prepare


def runs() -> Iterator[tuple[str, Misuse]]:
    """Runs that are not there, not whole, or not ours; folders that cannot be written."""
    journal = f"llmtester-runs/{RUN_ID}/journal.jsonl"
    for words in (
        ("report",),
        ("watch",),
        ("run", "--resume"),
        ("serve", "--from", "latest"),
        ("compare", "latest", "latest"),
        ("quality", "reference", "export", "latest", "x.jsonl"),
    ):
        yield f"{' '.join(words)} without a run", Misuse(words, 5, "llmtester run")
    damages = {
        "empty": b"",
        "rubbish": b"this is no journal\n",
        "binary": bytes(range(256)),
        "wrong crc": record("run_started", {})[:-12] + b'"00000000"}\n',
        "unknown record": record("nothing_known", {}),
        "newer": b'{"schema":99,"seq":0,"kind":"run_started","data":{},"crc":"00000000"}\n',
    }
    for name, content in damages.items():
        for words in (("report",), ("watch",), ("run", "--resume"), ("compare", RUN_ID, RUN_ID)):
            yield f"{' '.join(words)} of a journal that is {name}", Misuse(words, 6, "fix:", writes(journal, content))
    for words in (
        ("report",),
        ("report", "list"),
        ("watch",),
        ("compare", "a", "b"),
        ("quality", "reference", "export", "latest", "x"),
    ):
        yield f"{' '.join(words)} in a missing folder", Misuse((*words, "--runs", "nope"), 2, "--runs nope")
    yield "compare of one run", Misuse(("compare", "latest", "latest"), 5, "differ from itself", _real_run)
    yield "report of a slip", Misuse(("report", "20261124-120000-1a2c"), 5, RUN_ID, writes(journal, b"x"))
    yield "report of a folder", Misuse(("report", "./m"), 5, "journal.jsonl", writes("m/a", ""))
    yield "report in no format", Misuse(("report", "--format", "pdf"), 2, "csv, html, json, md", _real_run)
    yield "report onto a file", Misuse(("report", "--output-dir", "f/x"), 6, "--output-dir", _real_run_and_file)
    yield "runs below a file", Misuse((*FAKE, "--output-dir", "f/runs"), 6, "--output-dir", writes("f", ""))
    yield "runs where nobody may write", Misuse((*FAKE, "--output-dir", "/proc/none"), 6, "--output-dir")
    yield "state below a file", Misuse(FAKE, 6, "writable", writes("s", ""), (("XDG_STATE_HOME", "HOME/s/x"),))
    pack = ("quality", "reference", "import", "p.jsonl")
    yield "import of nothing", Misuse(pack, 6, "llmtester quality reference export")
    yield "import of rubbish", Misuse(pack, 6, "fix:", writes("p.jsonl", "rubbish\n"))
    export = ("quality", "reference", "export", "latest", "x.jsonl")
    yield "export without quality", Misuse(export, 5, "quality", _real_run)


def _real_run(home: Path) -> None:
    """A finished run of the fake engine."""
    import llmtester

    overrides = {
        "engine.name": "fake",
        "models.include": [FAST],
        "profiles.interactive.max_trials": 3,
        "profiles.interactive.min_trials": 3,
        "profiles.interactive.short.output_tok": 8,
        "profiles.interactive.medium.output_tok": 8,
    }
    llmtester.run(llmtester.load_settings(overrides=overrides, env={}))


def _real_run_and_file(home: Path) -> None:
    _real_run(home)
    writes("f", "")(home)


MISUSES: dict[str, Misuse] = {name: misuse for family in (flags, settings, models, runs) for name, misuse in family()}
