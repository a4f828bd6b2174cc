"""Servers that somebody else runs and that speak the OpenAI chat protocol, and what is known of each kind.

Nothing is started or stopped here. Server-side facts that a kind does not tell stay unknown: there are no timings
where it gives none, and no exact prompt lengths where it does not tokenize (``Capabilities`` says so).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from llmtester.domain.errors import EngineError, EngineFailure, RequestFailed
from llmtester.domain.ports import EngineOptions, Session
from llmtester.domain.records import Available, Capabilities, Missing, SessionFacts
from llmtester.domain.text import printable
from llmtester.domain.work import Message, ModelRef, Request, Target, digest
from llmtester.engines.client import StreamingClient
from llmtester.engines.http_session import Dialect, HttpSession, openai_body
from llmtester.engines.listener import listening_process
from llmtester.engines.lookup import look_up
from llmtester.engines.prompt_length import PromptLength
from llmtester.engines.served_models import matching, quantization_in
from llmtester.engines.told import count, mapping, mappings


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of one kind of server. ``health`` answers without loading a model; ``version`` gives its build."""

    name: str
    default_url: str | None
    dialect: Dialect
    capabilities: Capabilities
    start_hint: str
    health: str = "/v1/models"
    models: str = "/v1/models"
    version: str | None = None
    tokenize: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def vllm_body(request: Request, model: str) -> dict[str, Any]:
    """vLLM: a salt of its own keeps a request out of the prefix cache."""
    body = openai_body(request, model)
    if request.fixed_length:
        body["ignore_eos"] = True
    if not request.reuse_cache:
        body["cache_salt"] = secrets.token_hex(16)
    return body


OPENAI = Kind(
    "openai",
    None,
    Dialect("/v1/chat/completions", openai_body),
    Capabilities(),
    "start the server, then name its address with --set engine.url=http://HOST:PORT/v1",
)
VLLM = Kind(
    "vllm",
    "http://127.0.0.1:8000",
    Dialect("/v1/chat/completions", vllm_body),
    Capabilities(tokenize=True, fixed_length=True, no_cache=True, logprobs=True),
    "start it: vllm serve MODEL",
    health="/health",
    version="/version",
    tokenize="/tokenize",
)
LM_STUDIO = Kind(
    "lmstudio",
    "http://127.0.0.1:1234",
    Dialect("/api/v0/chat/completions", openai_body),
    Capabilities(timings=True),
    "start it: lms server start",
    models="/api/v0/models",
    health="/api/v0/models",
)
LOCAL_AI = Kind(
    "localai",
    "http://127.0.0.1:8080",
    Dialect("/v1/chat/completions", openai_body),
    Capabilities(timings=True),
    "start it: local-ai run MODEL",
    health="/readyz",
    version="/version",
    headers={"extra-usage": "true"},
)
MLX = Kind(
    "mlx",
    "http://127.0.0.1:8080",
    Dialect("/v1/chat/completions", openai_body),
    Capabilities(),
    "start it: mlx_lm.server --model MODEL",
    health="/health",
)


class OpenAICompatibleEngine:
    """Any server with ``/v1/chat/completions``. ``options.url`` is its address, with or without ``/v1``."""

    kind: ClassVar[Kind] = OPENAI

    def __init__(self, options: EngineOptions | None = None) -> None:
        self.options = options or EngineOptions()
        self.name = self.kind.name

    def available(self) -> Available | Missing:
        url = self._url()
        if url is None:
            return Missing("no address is set", self.kind.start_hint)
        try:
            self._get(self.kind.health)
            return Available(self._build(), f"answers at {printable(url)}")
        except RequestFailed as failed:
            return Missing(f"no {self.name} server answers at {printable(url)}: {failed.detail}", self.kind.start_hint)

    def catalogue(self, wanted: Sequence[str]) -> tuple[ModelRef, ...]:
        """The models that the server offers and that match a name or shell pattern; all without names.

        Raises ``EngineError`` if the server does not answer.
        """
        try:
            reply = self._get(self.kind.models)
        except RequestFailed as failed:
            raise self._unreachable(failed) from failed
        listed = mappings(mapping(reply).get("data"))
        models = [_model(self.name, entry) for entry in listed if _is_chat_model(entry)]
        return matching(models, wanted)

    def open(self, target: Target, folder: Path) -> AbstractAsyncContextManager[Session]:
        return self._open(target)

    @asynccontextmanager
    async def _open(self, target: Target) -> AsyncIterator[Session]:
        url = self._url()
        if url is None:
            raise EngineError(EngineFailure.UNREACHABLE, "no server is named", fix=self.kind.start_hint)
        client = StreamingClient(url, self.options.api_key, headers=self.kind.headers)
        try:
            lengths = PromptLength(client, self.kind.dialect, target.model.path, self.kind.tokenize)
            try:
                load_ns = await lengths.calibrate(self.options.load_timeout_s)
            except RequestFailed as failed:
                raise self._unreachable(failed) from failed
            build = await _version(client, self.kind.version)
            yield RemoteSession(client, self.kind, self._facts(target, url, build, load_ns), target.model.path, lengths)
        finally:
            await client.aclose()

    def _facts(self, target: Target, url: str, build: str, load_ns: int) -> SessionFacts:
        process_id = listening_process(url)
        context_tok = target.model.context_tok or target.settings.context_tok
        return SessionFacts(
            engine=self.name,
            build=build,
            command=("curl", f"{url}{self.kind.dialect.path}"),
            load_ns=load_ns,
            context_tok=context_tok,
            slots=target.settings.slots,
            capabilities=replace(self.kind.capabilities, memory=process_id is not None),
            process_id=process_id,
        )

    def _url(self) -> str | None:
        named = self.options.url or self.kind.default_url
        return named.rstrip("/").removesuffix("/v1") if named else None

    def _get(self, path: str) -> Any:
        return look_up(self._url() or "", path, self.options.api_key)

    def _build(self) -> str:
        if self.kind.version is None:
            return "unknown version"
        reply = self._get(self.kind.version)
        return _version_in(reply)

    def _unreachable(self, failed: RequestFailed) -> EngineError:
        return EngineError(
            EngineFailure.UNREACHABLE,
            f"the {self.name} server at {printable(self._url() or '')} cannot be used",
            why=failed.detail,
            fix=self.kind.start_hint,
        )


class RemoteSession(HttpSession):
    """A session on a server that was there before."""

    def __init__(
        self, client: StreamingClient, kind: Kind, facts: SessionFacts, model: str, lengths: PromptLength
    ) -> None:
        super().__init__(client, kind.dialect, facts, model)
        self._lengths = lengths

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Exact where the server tokenizes (``capabilities.tokenize``), else a calibrated estimate."""
        return await self._lengths.count(messages)


class VllmEngine(OpenAICompatibleEngine):
    kind = VLLM


class LmStudioEngine(OpenAICompatibleEngine):
    kind = LM_STUDIO


class LocalAiEngine(OpenAICompatibleEngine):
    kind = LOCAL_AI


class MlxEngine(OpenAICompatibleEngine):
    kind = MLX


_CONTEXT_KEYS = ("loaded_context_length", "max_model_len", "max_context_length", "n_ctx", "context_length")


def _is_chat_model(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("id")) and entry.get("type") != "embeddings"


def _model(engine: str, entry: Mapping[str, Any]) -> ModelRef:
    """A listed model. The size is 0 where the server does not tell it; the name is all that identifies it."""
    name = str(entry["id"])
    facts = {**mapping(entry.get("meta")), **entry}
    size_bytes = count(facts.get("size"))
    return ModelRef(
        name=name,
        quantization=str(entry.get("quantization") or quantization_in(name)),
        path=name,
        size_bytes=size_bytes or 0,
        fingerprint=digest([engine, name, size_bytes]),
        architecture=str(entry["arch"]) if entry.get("arch") else None,
        parameters_count=count(facts.get("n_params")),
        context_tok=next((told for key in _CONTEXT_KEYS if (told := count(facts.get(key)))), None),
    )


async def _version(client: StreamingClient, path: str | None) -> str:
    if path is None:
        return "unknown version"
    try:
        return _version_in(await client.call("GET", path))
    except RequestFailed:
        return "unknown version"


def _version_in(reply: object) -> str:
    version = reply.get("version") if isinstance(reply, Mapping) else reply
    return printable(str(version or "unknown version"), 80)
