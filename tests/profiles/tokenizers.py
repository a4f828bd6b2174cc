"""Tokenizers with behaviour: each counts as a family of real ones does, chat template included."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from llmtester.domain.ports import CountTokens
from llmtester.domain.work import Message

TEMPLATE_TOK = 31


def words_and_marks(text: str) -> int:
    """One token for each word and each mark, as for English words in a large vocabulary."""
    return len(re.findall(r"\w+|[^\w\s]|\n+", text))


def pieces_of_four(text: str) -> int:
    """A space belongs to the word after it, and a word is cut into pieces of four, as in a small vocabulary."""
    return sum(-(-len(word) // 4) for word in re.findall(r" ?\w+|[^\w\s]|\n+", text))


def single_bytes(text: str) -> int:
    """Every byte is a token."""
    return len(text.encode())


TOKENIZERS: dict[str, Callable[[str], int]] = {
    "words": words_and_marks,
    "pieces": pieces_of_four,
    "bytes": single_bytes,
}


def counter(count: Callable[[str], int], looks: list[str] | None = None) -> CountTokens:
    """The asynchronous form that sessions offer; ``looks`` collects the texts that were counted."""

    async def count_tokens(messages: Sequence[Message]) -> int:
        text = "".join(message.content for message in messages)
        if looks is not None:
            looks.append(text)
        return TEMPLATE_TOK + count(text)

    return count_tokens
