"""Asking for the facts of a document, and holding an answer against them. Forgiving in form, strict in content."""

from __future__ import annotations

import json
import re
from typing import Any

from llmtester.domain.records import Grade
from llmtester.profiles.documents import Document, Fact

_THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL | re.IGNORECASE)
_LINE = re.compile(r"^[\s>*\-\d.)]*[\"'`*]*([a-z_]+)[\"'`*]*\s*[:=]\s*(.+?)\s*,?\s*$", re.MULTILINE | re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:[,\s]\d{3})*(?:\.\d+)?")
_AROUND = " \t\"'`*.,;"

JSON_EVERY = 2
"""Every second document is asked for as lines: both forms are ordinary work."""


def question(document: Document, *, as_json: bool) -> str:
    """What is asked of a document; every key with its meaning."""
    wanted = "\n".join(f"- {fact.key}: {fact.meaning}{_form(fact)}" for fact in document.facts)
    form = (
        "Answer with one JSON object with exactly these keys and nothing else."
        if as_json
        else "Answer with one line for each, as key: value, and nothing else."
    )
    return f"Find these facts in the text above:\n{wanted}\n\n{form}"


def perfect(document: Document, *, as_json: bool) -> str:
    """The answer that gets every point."""
    if as_json:
        return json.dumps({fact.key: fact.value for fact in document.facts}, ensure_ascii=False)
    return "\n".join(f"{fact.key}: {fact.value}" for fact in document.facts)


def grade(document: Document, answer: str) -> Grade:
    """The share of the facts that the answer has right; ``detail`` names the wrong ones, at most three.

    Outcomes: ``all``, ``some``, ``none``, and ``unreadable`` where neither JSON nor lines with the keys were found.
    """
    said = _said(_THINKING.sub("", answer), {fact.key for fact in document.facts})
    wrong = [fact.key for fact in document.facts if not _agrees(fact, said.get(fact.key))]
    asked = len(document.facts)
    right = asked - len(wrong)
    outcome = "unreadable" if not said else "all" if not wrong else "some" if right else "none"
    return Grade(right / asked, outcome, ", ".join(wrong[:3]), facts_asked_count=asked, facts_right_count=right)


def _form(fact: Fact) -> str:
    return {"text": "", "number": " (number)", "date": " (date as YYYY-MM-DD)"}[fact.kind]


def _said(text: str, keys: set[str]) -> dict[str, str]:
    """What the answer says of each key: from the first JSON object that has any of them, else from lines."""
    decoder = json.JSONDecoder()
    for start in (match.start() for match in re.finditer(r"\{", text)):
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        found = _known(value, keys)
        if found:
            return found
    lines: dict[str, str] = {}
    for key, said in _LINE.findall(text):
        if key.lower() in keys:
            lines.setdefault(key.lower(), said)
    return lines


def _known(value: Any, keys: set[str]) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: str(said) for key, said in value.items() if key in keys and isinstance(said, (str, int, float))}


def _agrees(fact: Fact, said: str | None) -> bool:
    if said is None:
        return False
    if fact.kind == "number":
        numbers = _NUMBER.findall(said)
        return len(numbers) == 1 and abs(float(re.sub(r"[,\s]", "", numbers[0])) - float(fact.value)) < 0.005
    return _plain(said) == _plain(fact.value)


def _plain(text: str) -> str:
    """Small letters, single spaces, without the signs and articles that mean nothing."""
    return re.sub(r"^(the|a|an) ", "", " ".join(text.strip(_AROUND).lower().split()))
