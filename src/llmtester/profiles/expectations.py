"""What a user expects of an answer: a row for each kind, how it is written, and how an answer is held to it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from llmtester.domain.records import Grade
from llmtester.profiles import json_schema

_THINKING = re.compile(r"^.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")
_FENCE = re.compile(r"```[a-z]*\s*\n(.*?)\n?\s*```", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Expectation:
    """``kind`` is a row of ``KINDS``; ``value`` is what its reader made of what the user wrote."""

    kind: str
    value: Any

    def grade(self, text: str) -> Grade:
        """Right or wrong, and why wrong. What a model thinks before it answers does not count."""
        problem = KINDS[self.kind][1](_THINKING.sub("", text).strip(), self.value)
        return Grade(1.0, "right") if problem is None else Grade(0.0, "wrong", problem)


def read(kind: str, written: Any) -> Expectation:
    """The expectation that was written under a kind. Raises ``ValueError`` for what cannot be one."""
    return Expectation(kind, KINDS[kind][0](written))


def _text(written: Any) -> str:
    if not isinstance(written, str) or not written.strip():
        raise ValueError("it must be text that is not empty")
    return written.strip()


def _pattern(written: Any) -> str:
    text = _text(written)
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    return text


def _number(written: Any) -> str:
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        raise ValueError("it must be a number")
    try:
        value = Decimal(str(written).strip().replace(",", ""))
    except InvalidOperation:
        raise ValueError("it must be a number") from None
    if not value.is_finite():
        raise ValueError("it must be a number")
    return str(value)


def _schema(written: Any) -> Any:
    if isinstance(written, str):
        try:
            written = json.loads(written)
        except ValueError as error:
            raise ValueError(f"it is no JSON: {error}") from error
    problem = json_schema.schema_problem(written)
    if problem:
        raise ValueError(problem)
    return written


def _is_exactly(text: str, value: str) -> str | None:
    return None if text == value else "it differs"


def _contains(text: str, value: str) -> str | None:
    return None if value.casefold() in text.casefold() else "it does not contain the text"


def _matches(text: str, value: str) -> str | None:
    return None if re.search(value, text) else "it does not match"


def _ends_with_number(text: str, value: str) -> str | None:
    found = _NUMBER.findall(text)
    if not found:
        return "it holds no number"
    return None if Decimal(found[-1].replace(",", "")) == Decimal(value) else f"its last number is {found[-1]}"


def _fits(text: str, value: Mapping[str, Any]) -> str | None:
    fenced = _FENCE.search(text)
    try:
        found = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return "it is no JSON"
    return json_schema.violation(found, value)


KINDS: Mapping[str, tuple[Callable[[Any], Any], Callable[[str, Any], str | None]]] = {
    "exact": (_text, _is_exactly),
    "contains": (_text, _contains),
    "regex": (_pattern, _matches),
    "number": (_number, _ends_with_number),
    "json_schema": (_schema, _fits),
}
"""Kind to the reader of what the user wrote, and the check that says what is wrong with an answer, or ``None``."""
