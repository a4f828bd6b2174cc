"""Ollama through its native API: newline-delimited JSON, the server's own durations, models pulled and unloaded."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llmtester.domain.errors import EngineError, EngineFailure, NetworkError, RequestFailed, RequestFailure
from llmtester.domain.ports import EngineOptions, Session
from llmtester.domain.records import (
    Available,
    Buffer,
    Capabilities,
    Chunk,
    Finish,
    Missing,
    ServerTimings,
    SessionFacts,
)
from llmtester.domain.text import printable
from llmtester.domain.work import Message, ModelRef, Request, Target, Timeouts, digest
from llmtester.engines.chat_stream import Answer, decode_json, error_event
from llmtester.engines.client import StreamingClient
from llmtester.engines.http_session import Dialect, HttpSession, chat_messages
from llmtester.engines.listener import listening_process
from llmtester.engines.lookup import look_up
from llmtester.engines.prompt_length import PromptLength
from llmtester.engines.served_models import matching
from llmtester.engines.sse import LineSplitter
from llmtester.engines.told import count, mapping, mappings, number

DEFAULT_PORT = 11434
START_HINT = "start it: ollama serve"
_FINISHES: Mapping[str, Finish] = {"stop": "stop", "length": "length"}
_CAPABILITIES = Capabilities(timings=True)


def ollama_body(context_tok: int) -> Callable[[Request, str], dict[str, Any]]:
    """Bodies for ``/api/chat``. Another ``num_ctx`` would reload the model, so all requests of a session share one."""

    def body(request: Request, model: str) -> dict[str, Any]:
        return {
            "model": model,
            "messages": chat_messages(request.messages),
            "stream": True,
            "truncate": False,  # by default a prompt that is too long is shortened without a word
            "shift": False,
            "options": {
                "num_ctx": context_tok,
                "num_predict": request.max_tok,
                "temperature": request.temperature,
                "seed": request.seed,
            },
        }

    return body


def read_ollama(events: Iterable[tuple[int, bytes]], *, done: bool) -> Answer:
    """The answer in a stream of ``/api/chat`` or ``/api/generate``. Raises ``RequestFailed`` as ``read_chat`` does.

    Missing counts and durations mean 0 there; ``prompt_eval_count`` includes cached tokens, its duration does not.
    """
    events = list(events)
    arrivals_ns = tuple(at_ns for at_ns, _ in events)
    chunks: list[Chunk] = []
    last: dict[str, Any] = {}
    for place, (at_ns, payload) in enumerate(events, start=1):
        last = decode_json(payload, arrivals_ns, last=place == len(events))
        if "error" in last:
            raise error_event(last["error"], arrivals_ns)
        message = mapping(last.get("message")) or {"content": last.get("response"), "thinking": last.get("thinking")}
        if message.get("thinking"):
            chunks.append(Chunk(at_ns, "reasoning", str(message["thinking"])))
        if message.get("content"):
            chunks.append(Chunk(at_ns, "content", str(message["content"])))
        if message.get("tool_calls"):
            chunks.append(Chunk(at_ns, "tool", str(message["tool_calls"])))
    if last.get("done") is not True:
        raise RequestFailed(RequestFailure.CUT, "the stream ended without done:true", arrivals_ns=arrivals_ns)
    prompt_tok, completion_tok = count(last.get("prompt_eval_count")), count(last.get("eval_count")) or 0
    return Answer(
        chunks=tuple(chunks),
        finish=_FINISHES.get(str(last.get("done_reason", "stop")), "other"),
        prompt_tok=prompt_tok or None,
        completion_tok=completion_tok,
        server=ServerTimings(
            prompt_tok=prompt_tok or None,
            prompt_ms=_milliseconds(last.get("prompt_eval_duration")),
            predicted_tok=completion_tok,
            predicted_ms=_milliseconds(last.get("eval_duration")),
        ),
        complete=True,
    )


def _milliseconds(nanoseconds: object) -> float | None:
    told = nanoseconds if isinstance(nanoseconds, int | float) else 0
    return number(told / 1e6) if told else None


class OllamaEngine:
    """Models of an Ollama that runs. ``options.url`` or ``OLLAMA_HOST`` names it, else port 11434 here."""

    name = "ollama"

    def __init__(self, options: EngineOptions | None = None) -> None:
        self.options = options or EngineOptions()

    def available(self) -> Available | Missing:
        try:
            reply = self._get("/api/version")
        except RequestFailed as failed:
            return Missing(f"no Ollama answers at {printable(self._url())}: {failed.detail}", START_HINT)
        return Available(_version(reply), f"answers at {printable(self._url())}")

    def catalogue(self, wanted: Sequence[str]) -> tuple[ModelRef, ...]:
        """Its installed models that match a name or shell pattern; all without names. Raises ``EngineError``."""
        try:
            listed = self._get("/api/tags")
            entries = [entry for entry in mappings(mapping(listed).get("models")) if entry.get("name")]
            found = matching([_model(entry) for entry in entries], wanted)
            return tuple(self._with_context(model) for model in found)
        except RequestFailed as failed:
            raise self._unreachable(failed) from failed

    def open(self, target: Target, folder: Path) -> AbstractAsyncContextManager[Session]:
        return self._open(target)

    @asynccontextmanager
    async def _open(self, target: Target) -> AsyncIterator[Session]:
        """Load the model with the wanted context, and unload it at the end."""
        client = StreamingClient(self._url(), self.options.api_key)
        dialect = Dialect("/api/chat", ollama_body(target.settings.context_tok), read_ollama, LineSplitter)
        model = target.model.path
        try:
            try:
                load_ns = await self._load(client, target)
                lengths = PromptLength(client, dialect, model, None)
                await lengths.calibrate(self.options.load_timeout_s)
                facts = await self._facts(client, target, load_ns)
            except RequestFailed as failed:
                raise self._unreachable(failed) from failed
            yield OllamaSession(client, dialect, facts, model, lengths)
        finally:
            with suppress(RequestFailed):  # an Ollama that is gone has nothing to unload
                await client.call("POST", "/api/generate", {"model": model, "keep_alive": 0, "stream": False})
            await client.aclose()

    async def pull(self, name: str, on_progress: Callable[[str, int, int], None]) -> None:
        """Download ``name`` into Ollama's own store. ``on_progress`` gets status, bytes done and bytes in all.

        Raises ``NetworkError``.
        """
        client = StreamingClient(self._url(), self.options.api_key)
        day_s = 86400.0
        try:
            raw = await client.stream(
                "/api/pull",
                {"model": name, "stream": True},
                timeouts=Timeouts(first_token_s=day_s, between_tokens_s=300.0, total_s=day_s),
                splitter=_Progress(on_progress),
                on_arrival=lambda at_ns: None,
                max_events=10_000_000,
            )
            last = decode_json(raw.events[-1][1], (), last=True) if raw.events else {}
            if last.get("status") != "success":
                raise error_event(last.get("error", "the pull ended without success"), ())
        except RequestFailed as failed:
            raise NetworkError(
                f"Ollama could not pull {printable(name)}",
                why=failed.detail,
                fix=f"check the name and the network, then: ollama pull {printable(name)}",
            ) from failed
        finally:
            await client.aclose()

    async def _load(self, client: StreamingClient, target: Target) -> int:
        body = {
            "model": target.model.path,
            "options": {"num_ctx": target.settings.context_tok},
            "keep_alive": -1,
            "stream": False,
        }
        started_ns = time.perf_counter_ns()
        await client.call("POST", "/api/generate", body, limit_s=self.options.load_timeout_s)
        return time.perf_counter_ns() - started_ns

    async def _facts(self, client: StreamingClient, target: Target, load_ns: int) -> SessionFacts:
        running = await client.call("GET", "/api/ps")
        version = _version(await client.call("GET", "/api/version"))
        models = mappings(mapping(running).get("models"))
        loaded = next((each for each in models if each.get("name") == target.model.path), mapping(None))
        process_id = listening_process(self._url())
        return SessionFacts(
            engine=self.name,
            build=version,
            command=("ollama", "run", target.model.path),
            load_ns=load_ns,
            context_tok=count(loaded.get("context_length")) or target.settings.context_tok,
            slots=target.settings.slots,
            capabilities=replace(_CAPABILITIES, memory=process_id is not None),
            process_id=process_id,
            buffers=_buffers(loaded),
        )

    def _with_context(self, model: ModelRef) -> ModelRef:
        shown = look_up(self._url(), "/api/show", self.options.api_key, method="POST", body={"model": model.path})
        facts = mapping(mapping(shown).get("model_info"))
        architecture = facts.get("general.architecture")
        return replace(
            model,
            architecture=str(architecture) if architecture else model.architecture,
            context_tok=count(facts.get(f"{architecture}.context_length")),
            parameters_count=count(facts.get("general.parameter_count")),
        )

    def _url(self) -> str:
        named = self.options.url or os.environ.get("OLLAMA_HOST") or ""
        parts = urlsplit(named if "://" in named else f"http://{named}")
        host = "127.0.0.1" if parts.hostname in {None, "0.0.0.0"} else parts.hostname  # noqa: S104 - compared, not bound
        port = parts.port or (443 if parts.scheme == "https" else DEFAULT_PORT)
        return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/').removesuffix('/v1')}"

    def _get(self, path: str) -> Any:
        return look_up(self._url(), path, self.options.api_key)

    def _unreachable(self, failed: RequestFailed) -> EngineError:
        missing = failed.status == 404
        return EngineError(
            EngineFailure.UNREACHABLE,
            f"Ollama at {printable(self._url())} cannot be used",
            why=failed.detail,
            fix="pull the model first: ollama pull NAME" if missing else START_HINT,
        )


class OllamaSession(HttpSession):
    def __init__(
        self, client: StreamingClient, dialect: Dialect, facts: SessionFacts, model: str, lengths: PromptLength
    ) -> None:
        super().__init__(client, dialect, facts, model)
        self._lengths = lengths

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """An estimate through two prompts that Ollama counted: it has no tokenizer to ask."""
        return await self._lengths.count(messages)


class _Progress(LineSplitter):
    """Tells the progress of a pull while its lines arrive."""

    def __init__(self, on_progress: Callable[[str, int, int], None]) -> None:
        super().__init__()
        self._on_progress = on_progress

    def feed(self, data: bytes) -> list[bytes]:
        payloads = super().feed(data)
        for payload in payloads:
            line = decode_json(payload, (), last=False)
            done, total = count(line.get("completed")), count(line.get("total"))
            self._on_progress(str(line.get("status", "")), done or 0, total or 0)
        return payloads[-1:]  # only the outcome is kept


def _version(reply: object) -> str:
    version = reply.get("version") if isinstance(reply, Mapping) else None
    return f"ollama {printable(str(version), 60)}" if version else "unknown version"


def _model(entry: Mapping[str, Any]) -> ModelRef:
    details = mapping(entry.get("details"))
    name = str(entry["name"])
    return ModelRef(
        name=name,
        quantization=str(details.get("quantization_level") or ""),
        path=name,
        size_bytes=count(entry.get("size")) or 0,
        fingerprint=str(entry.get("digest") or digest(["ollama", name]))[:16],
        architecture=str(details["family"]) if details.get("family") else None,
    )


def _buffers(loaded: Mapping[str, Any]) -> tuple[Buffer, ...]:
    """What ``/api/ps`` says: everything that the model holds, and the part of it on the GPU."""
    size_bytes, on_gpu_bytes = count(loaded.get("size")) or 0, count(loaded.get("size_vram")) or 0
    parts = (("GPU", on_gpu_bytes), ("CPU", size_bytes - on_gpu_bytes))
    return tuple(Buffer(device, "all", part_bytes) for device, part_bytes in parts if part_bytes > 0)
