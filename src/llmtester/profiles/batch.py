"""A pile of documents, one after another and several at once: how long it takes, and how much of it comes out right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llmtester.domain.errors import NotMeasurable
from llmtester.domain.ports import Bench
from llmtester.domain.records import Completion, Grade
from llmtester.domain.work import Load, Message, Request
from llmtester.profiles import extraction
from llmtester.profiles.base import BaseProfile
from llmtester.profiles.documents import Document, document
from llmtester.profiles.prompts import heading, mix

PAGE_TOK = 640
"""Room for the longest document with its question; most take 350 to 500 tokens."""

TRIAL_DOCUMENTS, TRIAL_DOCUMENTS_TOGETHER = 6, 10
"""In one trial, one after another and several at once. Few enough that a kill loses little, and of those in flight
together enough that the last ones, which have the machine to themselves, do not decide."""

PRECISION_RATIO = 0.15
"""Documents differ more than any trial could average out."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How many documents, how many of them at the same time (one load each), and the longest answer in tokens."""

    documents_count: int = 30
    concurrencies: tuple[int, ...] = (1, 2, 4)
    output_tok: int = 200


class BatchProfile(BaseProfile):
    """Invoices, mails, reports, logs, tables: the facts that are asked for are known, so answers can be checked."""

    name: ClassVar[str] = "batch"
    summary: ClassVar[str] = "a pile of documents: time for each, documents an hour, and facts found right"
    headline: ClassVar[tuple[str, ...]] = ("documents_per_hour", "facts_ratio")

    def __init__(self, options: BatchOptions | None = None, *, quick: bool = False) -> None:
        self.options = options or BatchOptions()
        self.quick = quick

    def loads(self, context_tok: int | None) -> Sequence[Load]:
        """One load for each number of documents in flight; ``quick`` leaves all but the first out."""
        options = self.options
        if context_tok is not None and context_tok < PAGE_TOK + options.output_tok:
            return ()
        concurrencies = options.concurrencies[:1] if self.quick else options.concurrencies
        return tuple(self._load(concurrency) for concurrency in concurrencies)

    async def requests(self, load: Load, trial: int, seed: int, bench: Bench) -> Sequence[Request]:
        """The documents of one trial. All loads see the same documents, each under headings of its own."""
        if bench.facts.slots < load.concurrency:
            raise NotMeasurable(f"this server answers {bench.facts.slots} at a time, not {load.concurrency}")
        first = trial * load.requests_per_trial
        return tuple(self._request(load, number, seed) for number in range(first, first + load.requests_per_trial))

    def grade(self, request: Request, completion: Completion) -> Grade | None:
        """The share of the facts that are right."""
        number, seed = (int(part) for part in request.id.rsplit("-", 2)[1:])
        return extraction.grade(_document(seed, number), completion.text)

    def _load(self, concurrency: int) -> Load:
        in_trial = TRIAL_DOCUMENTS if concurrency == 1 else max(TRIAL_DOCUMENTS_TOGETHER, 2 * concurrency)
        trials = max(2, round(self.options.documents_count / in_trial))
        return Load(
            name=f"{concurrency}-at-once",
            prompt_tok=PAGE_TOK,
            output_tok=self.options.output_tok,
            concurrency=concurrency,
            requests_per_trial=in_trial,
            min_trials=trials,
            max_trials=trials,
            precision_ratio=PRECISION_RATIO,
        )

    def _request(self, load: Load, number: int, seed: int) -> Request:
        page = _document(seed, number)
        as_json = number % extraction.JSON_EVERY == 0
        top = heading(mix(seed, self.name, load.name), number)
        return Request(
            id=f"{load.name}-{number}-{seed}",
            messages=(Message("user", f"{top}\n\n{page.text}\n\n{extraction.question(page, as_json=as_json)}"),),
            max_tok=load.output_tok,
            fixed_length=False,
            seed=seed,
            thinking=False,
            oracle=extraction.perfect(page, as_json=as_json),
        )


def _document(seed: int, number: int) -> Document:
    return document(mix(seed, "documents", number), number)
