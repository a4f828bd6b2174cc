"""A session over HTTP: one ready server, one dialect of the chat protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.ports import OnArrival
from llmtester.domain.records import Address, Completion, ServerTimings, SessionFacts, TokenSource
from llmtester.domain.work import Message, Request
from llmtester.engines import llama_logprobs
from llmtester.engines.chat_stream import Answer, read_chat
from llmtester.engines.client import Retry, StreamingClient
from llmtester.engines.http_failures import SHORTEST_SECRET_CHARACTERS
from llmtester.engines.llama_logprobs import Route
from llmtester.engines.sse import EventSplitter, Splitter

EVENTS_PER_TOKEN, SPARE_EVENTS = 4, 1000  # a stream with more events than that does not end by itself
GONE_WITHIN_S = 1.0  # after a broken connection: a socket closes a moment before its process is gone


class ReadAnswer(Protocol):
    def __call__(self, events: Iterable[tuple[int, bytes]], *, done: bool) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server is asked and read. ``body`` gets the request and the model's name."""

    path: str
    body: Callable[[Request, str], dict[str, Any]]
    read: ReadAnswer = read_chat
    splitter: Callable[[], Splitter] = EventSplitter


def chat_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def openai_body(request: Request, model: str) -> dict[str, Any]:
    """What every OpenAI-compatible server takes; nothing that is known to one of them only."""
    return {
        "model": model,
        "messages": chat_messages(request.messages),
        "max_tokens": request.max_tok,
        "temperature": request.temperature,
        "seed": request.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def llama_body(request: Request, model: str) -> dict[str, Any]:
    """llama.cpp: cold prefill unless the request allows reuse, and exactly ``max_tok`` tokens where asked."""
    body = openai_body(request, model) | {"cache_prompt": request.reuse_cache}
    if not request.thinking:
        body["chat_template_kwargs"] = {"enable_thinking": False}
    return body | {"ignore_eos": True} if request.fixed_length else body


LLAMA = Dialect("/v1/chat/completions", llama_body)


class HttpSession:
    """``domain.ports.Session``. ``gone_within`` says whether the server has ended, for local servers."""

    def __init__(
        self,
        client: StreamingClient,
        dialect: Dialect,
        facts: SessionFacts,
        model: str,
        gone_within: Callable[[float], Awaitable[object | None]] | None = None,
    ) -> None:
        self.client = client
        self.dialect = dialect
        self._facts = facts
        self._model = model
        self._gone_within = gone_within

    @property
    def facts(self) -> SessionFacts:
        return self._facts

    @property
    def address(self) -> Address:
        return self.client.address

    async def generate(self, request: Request, on_arrival: OnArrival) -> Completion:
        """The whole answer; a request is sent once and never repeated. Raises ``RequestFailed``."""
        try:
            raw = await self.client.stream(
                self.dialect.path,
                self.dialect.body(request, self._model),
                timeouts=request.timeouts,
                splitter=self.dialect.splitter(),
                on_arrival=on_arrival,
                max_events=request.max_tok * EVENTS_PER_TOKEN + SPARE_EVENTS,
            )
            answer = self.dialect.read(raw.events, done=raw.done)
        except RequestFailed as failed:
            raise await self._explained(failed) from failed
        completion_tok, source = await self._completion_tok(answer)
        return Completion(
            sent_ns=raw.sent_ns,
            ended_ns=raw.ended_ns,
            chunks=answer.chunks,
            finish=answer.finish or "other",
            prompt_tok=answer.prompt_tok or None,  # no prompt is empty: 0 means that the server did not count
            cached_tok=answer.cached_tok,
            completion_tok=completion_tok,
            token_source=source,
            server=answer.server,
        )

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the templated prompt. Raises ``RequestFailed`` where the server cannot tell."""
        raise RequestFailed(RequestFailure.HTTP_STATUS, f"{self._facts.engine} offers no way to count tokens")

    async def count_text(self, text: str) -> int | None:
        """Tokens of plain text, ``None`` where the server cannot tell."""
        return None

    async def _completion_tok(self, answer: Answer) -> tuple[int, TokenSource]:
        server = answer.server or ServerTimings()
        told = server.predicted_tok if server.predicted_tok is not None else answer.completion_tok
        if told is not None and (told > 0 or not answer.chunks):  # LocalAI may say 0 while it streams text
            return told, "timings" if server.predicted_tok is not None else "usage"
        counted = await self.count_text("".join(chunk.text for chunk in answer.chunks))
        return (counted, "tokenizer") if counted is not None else (len(answer.chunks), "estimate")

    async def _explained(self, failed: RequestFailed) -> RequestFailed:
        """The same failure without our key, or ``SERVER_GONE`` if that is why the connection broke."""
        key = self.address.api_key or ""
        if len(key) >= SHORTEST_SECRET_CHARACTERS:
            failed.detail = failed.detail.replace(key, "[key]")
        if failed.failure not in {RequestFailure.CONNECT, RequestFailure.CUT} or self._gone_within is None:
            return failed
        if await self._gone_within(GONE_WITHIN_S) is None:
            return failed
        return RequestFailed(RequestFailure.SERVER_GONE, "the server has ended", arrivals_ns=failed.arrivals_ns)


class LlamaSession(HttpSession):
    """A llama.cpp server: counts tokens exactly as it will for the request itself, and tells log-probabilities."""

    _route: Route | None = None

    async def generate(self, request: Request, on_arrival: OnArrival) -> Completion:
        """As ``HttpSession``; what needs probabilities or forced tokens takes the native route."""
        if not request.top_logprobs_count and request.forced_tok is None:
            return await super().generate(request, on_arrival)
        self._route = self._route or Route()
        try:
            return await llama_logprobs.generate(self, self._route, request, on_arrival)
        except RequestFailed as failed:
            raise await self._explained(failed) from failed

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Equals ``prompt_n + cache_n`` of the real request: template, then tokenizer with special tokens."""
        return len(await self.prompt_tok(messages))

    async def prompt_tok(self, messages: Sequence[Message], *, thinking: bool = True) -> list[int]:
        """The token ids that the model gets to see. Raises ``RequestFailed``."""
        body: dict[str, Any] = {"messages": chat_messages(messages)}
        if not thinking:
            body["chat_template_kwargs"] = {"enable_thinking": False}
        templated = await self.client.call("POST", "/apply-template", body, retry=Retry())
        return await self._tokens(str(_field(templated, "prompt")), special=True)

    async def count_text(self, text: str) -> int | None:
        return len(await self._tokens(text, special=False))

    async def _tokens(self, text: str, *, special: bool) -> list[int]:
        body = {"content": text, "add_special": special, "parse_special": True}
        reply = await self.client.call("POST", "/tokenize", body, retry=Retry())
        tokens = _field(reply, "tokens")
        if not isinstance(tokens, list):
            raise RequestFailed(RequestFailure.MALFORMED, "/tokenize gave no list of tokens")
        return tokens


def _field(reply: object, name: str) -> object:
    if not isinstance(reply, Mapping) or name not in reply:
        raise RequestFailed(RequestFailure.MALFORMED, f"a reply has no {name}")
    return reply[name]
