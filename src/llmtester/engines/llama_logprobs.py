"""Log-probabilities from a llama.cpp server, also along given tokens, through its native ``/completion``.

A server tells probabilities of tokens that it generates, never of a prompt. So a model is led along given tokens by a
grammar of token literals (llama.cpp from December 2025 on) and tells at each step what it would have said; that is one
request and exact: the probabilities are those of the whole vocabulary before grammar and sampling. Where the server
knows no literals, each token costs one request of one step. A session never mixes the two.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from llmtester.domain.errors import RequestFailed, RequestFailure
from llmtester.domain.logprobs import Position, pack
from llmtester.domain.ports import OnArrival
from llmtester.domain.records import Chunk, Completion, Finish, ServerTimings
from llmtester.domain.text import printable
from llmtester.domain.work import Message, Request
from llmtester.engines.chat_stream import llama_timings
from llmtester.engines.client import StreamingClient
from llmtester.engines.told import mapping, mappings

MOST_TOKENS = 1 << 31  # ids are signed 32-bit numbers in llama.cpp
GRAMMAR_REFUSED = frozenset({400, 500, 501})


class Templating(Protocol):
    """What is needed of a session: its client, and the token ids of a conversation."""

    client: StreamingClient

    async def prompt_tok(self, messages: Sequence[Message], *, thinking: bool = True) -> list[int]: ...


@dataclass(slots=True)
class Route:
    """How this server is led along tokens. ``grammar`` is ``None`` until the first forced request has shown it."""

    grammar: bool | None = None


async def generate(session: Templating, route: Route, request: Request, on_arrival: OnArrival) -> Completion:
    """The answer with ``logprobs``, one position for each token before the end token.

    Raises ``RequestFailed``, also if the server wrote other tokens than it was made to.
    """
    sent_ns = time.perf_counter_ns()
    prompt = await session.prompt_tok(request.messages, thinking=request.thinking)
    if request.forced_tok is None:
        answer = await _ask(session, request, _body(request, prompt, request.max_tok))
    else:
        answer = await _forced(session, route, request, prompt)
    ended_ns = time.perf_counter_ns()
    on_arrival(ended_ns)
    return Completion(
        sent_ns=sent_ns,
        ended_ns=ended_ns,
        chunks=(Chunk(ended_ns, "content", answer.text),),
        finish=answer.finish,
        prompt_tok=len(prompt),
        cached_tok=answer.cached_tok,
        completion_tok=len(answer.tokens),
        token_source="timings",  # noqa: S106 - a token of text
        server=answer.server,
        logprobs=pack(answer.positions),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    tokens: tuple[int, ...]
    positions: tuple[Position, ...]
    finish: Finish
    cached_tok: int | None = None
    server: ServerTimings | None = None


def _body(request: Request, prompt: Sequence[int], length_tok: int) -> dict[str, Any]:
    """Greedy, nothing reshaped: the server's own samplers must not touch the order of the tokens."""
    return {
        "prompt": list(prompt),
        "n_predict": length_tok,
        "n_probs": request.top_logprobs_count,
        "temperature": 0.0,
        "samplers": ["temperature"],
        "repeat_penalty": 1.0,
        "seed": request.seed,
        "cache_prompt": False,
        "return_tokens": True,
        "stream": False,
    }


async def _forced(session: Templating, route: Route, request: Request, prompt: Sequence[int]) -> _Answer:
    forced = request.forced_tok or ()
    if route.grammar is not False:
        literals = " ".join(f"<[{token}]>" for token in forced)
        body = _body(request, prompt, len(forced)) | {"grammar": f"root ::= {literals}"}
        try:
            answer = _checked(await _ask(session, request, body), forced)
        except RequestFailed as failed:
            refused = failed.failure is RequestFailure.HTTP_STATUS and failed.status in GRAMMAR_REFUSED
            if route.grammar or not (refused or failed.failure is RequestFailure.MALFORMED):
                raise
            route.grammar = False
        else:
            route.grammar = True
            return answer
    return await _step_by_step(session, request, prompt)


async def _step_by_step(session: Templating, request: Request, prompt: Sequence[int]) -> _Answer:
    """One request a token on one slot, the prompt growing by the forced token and taken from the cache."""
    forced = request.forced_tok or ()
    texts: list[str] = []
    positions: list[Position] = []
    for index, token in enumerate(forced):
        body = _body(request, [*prompt, *forced[:index]], 1)
        body |= {"cache_prompt": True, "id_slot": 0, "logit_bias": [[token, 1000.0]]}
        answer = _checked(await _ask(session, request, body), (token,))
        texts.append(answer.text)
        positions.extend(answer.positions)
    return _Answer("".join(texts), tuple(forced), tuple(positions), "length")


def _checked(answer: _Answer, forced: Sequence[int]) -> _Answer:
    if answer.tokens[: len(forced)] != tuple(forced) or len(answer.positions) < len(forced):
        detail = f"the server left the {len(forced)} tokens that it was made to write"
        raise RequestFailed(RequestFailure.MALFORMED, detail)
    return replace(answer, positions=answer.positions[: len(forced)])


async def _ask(session: Templating, request: Request, body: Mapping[str, Any]) -> _Answer:
    reply = await session.client.call("POST", "/completion", body, limit_s=request.timeouts.total_s)
    if not isinstance(reply, Mapping) or not isinstance(reply.get("tokens"), list):
        raise RequestFailed(RequestFailure.MALFORMED, "/completion gave no list of tokens")
    try:
        tokens = tuple(map(_token_id, reply["tokens"]))
        positions = _positions(mappings(reply.get("completion_probabilities")), tokens)
    except (TypeError, ValueError) as error:
        raise RequestFailed(RequestFailure.MALFORMED, f"/completion: {printable(str(error))}") from error
    if reply.get("stop_type") == "eos" and request.forced_tok is None and len(positions) == len(tokens):
        positions = positions[:-1] if positions and _ends_text(reply, positions) else positions
    timings = mapping(reply.get("timings"))
    server = llama_timings(timings) if timings else None
    return _Answer(
        text=str(reply.get("content", "")),
        tokens=tokens,
        positions=positions,
        finish="stop" if reply.get("stop_type") in {"eos", "word"} else "length",
        cached_tok=server.cached_tok if server else None,
        server=server,
    )


def _ends_text(reply: Mapping[str, Any], positions: Sequence[Position]) -> bool:
    """Whether the last position is the end token: the server lists it but it brings no text. It must not be forced,
    because a grammar that holds an end token aborts the server."""
    last = reply["completion_probabilities"][len(positions) - 1]
    shown = str(last.get("token", ""))
    return not shown or not str(reply.get("content", "")).endswith(shown)


def _positions(listed: Sequence[Mapping[str, Any]], tokens: Sequence[int]) -> tuple[Position, ...]:
    """Probabilities of the tokens as far as they are told: a token that ends inside a character has none."""
    found = []
    for entry, token in zip(listed, tokens, strict=False):
        if entry.get("id") != token:
            break
        top = mappings(entry.get("top_logprobs"))
        found.append(Position(token, _float(entry), tuple((_token_id(one.get("id")), _float(one)) for one in top)))
    return tuple(found)


def _token_id(told: object) -> int:
    """Raises ``ValueError`` for what no vocabulary has."""
    if not isinstance(told, int) or not 0 <= told < MOST_TOKENS:
        raise ValueError(f"{told!r} is no token")
    return told


def _float(entry: Mapping[str, Any]) -> float:
    """A log-probability of minus infinity is written as null."""
    value = entry.get("logprob")
    return -1e4 if value is None else max(-1e4, float(value))
