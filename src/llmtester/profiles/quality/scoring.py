"""From a reply to right, wrong or no answer. Deterministic, fixed before any model was asked.

Order: thinking is removed; text that was cut off is never graded; the answer is extracted; then compared by type, never
by "contains". Outcomes: correct, wrong, no_answer, ran_out_of_room, refused, empty.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from llmtester.domain.records import Grade
from llmtester.profiles.quality import rules
from llmtester.profiles.quality.items import Item
from llmtester.profiles.quality.structured import canonical
from llmtester.profiles.quality.words import MONTHS, NUMBERS

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_THINKING_OPEN = re.compile(r"<(think|thinking|reasoning)>", re.IGNORECASE)
_THINKING_CLOSED = re.compile(r"^.*</(think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_ANSWER_LINE = re.compile(
    r"(?:^|\n|[.!:]\s)[\s>*_#`-]*(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+)?(?:final\s+|correct\s+|right\s+)?"
    r"answer\b[^.:=\n]{0,40}?(?:\bis\b\s*[:=]?|[:=])\s*(.+)",
    re.IGNORECASE,
)
"""``Answer: 5``, and the sentences that models write instead: ``The correct answer to this is "5".``"""
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_REFUSAL = re.compile(
    r"^\W*(?:i['\u2019]?m sorry|sorry|i apologi[sz]e|i can(?:['\u2019]?t|not)|i am (?:unable|not able)|"
    r"i['\u2019]?m (?:unable|not able)|as an ai)\b",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^[ \t]*```[a-z]*[ \t]*\n(.*?)\n?[ \t]*```[ \t]*$", re.DOTALL | re.IGNORECASE | re.MULTILINE)
_MONTHS = {name.lower(): number for number, name in enumerate(MONTHS, start=1)}
_DAY_MONTH = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+({'|'.join(_MONTHS)}),?\s+(\d{{4}})\b", re.IGNORECASE
)
_MONTH_DAY = re.compile(rf"\b({'|'.join(_MONTHS)})\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b", re.IGNORECASE)
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\uff1a": ":", "\u2019": "'", "\u00a0": " ", "\u202f": " "})


def grade(item: Item, text: str, *, complete: bool) -> Grade:
    """The outcome of one reply. ``complete`` says that the model ended by itself; ``detail`` is what was extracted."""
    thought = _without_thinking(text)
    if thought is None or not complete:
        return Grade(0.0, "ran_out_of_room")
    if not thought.strip():
        return Grade(0.0, "empty")
    found = _READERS[item.type](item, thought)
    if found is None:
        return Grade(0.0, "refused" if _REFUSAL.match(thought) else "no_answer")
    right, said = found
    if not right and _REFUSAL.match(thought):
        return Grade(0.0, "refused", said)
    return Grade(1.0 if right else 0.0, "correct" if right else "wrong", said[:200])


def _without_thinking(text: str) -> str | None:
    """The visible part; ``None`` if the thinking never ended."""
    rest = _THINKING.sub("", text)
    rest = _THINKING_CLOSED.sub("", rest)
    return None if _THINKING_OPEN.search(rest) else rest


def final(text: str) -> str | None:
    """What follows the last ``Answer:``, else the last boxed value; one line. ``None`` if there is neither."""
    clean = normal(text)
    named = _ANSWER_LINE.findall(clean) or _BOXED.findall(clean)
    return _trimmed(named[-1]) if named else None


def normal(text: str) -> str:
    """Compatibility form: full-width digits, typographic signs and exotic spaces become plain ones."""
    return unicodedata.normalize("NFKC", text).translate(_SIGNS)


def _trimmed(text: str) -> str:
    return text.strip().strip("*_`\"'$ ").rstrip(".!").strip("*_`\"'$ ")


def _last_line(text: str) -> str:
    lines = [line for line in normal(text).splitlines() if line.strip()]
    return _trimmed(lines[-1]) if lines else ""


def _number(text: str) -> Decimal | None:
    """The last number; one that is spelled out only where there are no digits."""
    found = _NUMBER.findall(text)
    try:
        if found:
            return Decimal(found[-1].replace(",", ""))
    except InvalidOperation:
        return None
    spelled = [word for word in re.findall(r"[a-z]+", text.casefold()) if word in NUMBERS]
    return Decimal(NUMBERS.index(spelled[-1])) if spelled else None


Found = tuple[bool, str] | None


def _as_number(item: Item, text: str) -> Found:
    named = final(text)
    value = _number(named) if named is not None else _number(_last_line(text))
    return None if value is None else (value == Decimal(item.answer), str(value))


def _as_word(item: Item, text: str) -> Found:
    """The one option that stands in the answer, or in the last line where none is named. Two options are no answer."""
    said = (final(text) or _last_line(text)).casefold()
    pieces = re.findall(r"[^\W_]+(?:[-'][^\W_]+)*", said)
    chosen = [option for option in item.options if option.casefold() in pieces]
    if len(chosen) == 1:
        return chosen[0] == item.answer, chosen[0]
    return None if not pieces or chosen else (False, said[:80])


def _as_text(item: Item, text: str) -> Found:
    said = final(text) or _last_line(text)
    return (said.casefold() == item.answer.casefold(), said) if said else None


def _as_date(item: Item, text: str) -> Found:
    """The one date that is named; a month that is spelled out cannot be misread."""
    dates = _dates(final(text) or _last_line(text))
    return (dates == [item.answer], dates[-1]) if dates else None


def _dates(said: str) -> list[str]:
    found = re.findall(r"\d{4}-\d{2}-\d{2}", said)
    found += [f"{year}-{_MONTHS[month.lower()]:02d}-{int(day):02d}" for day, month, year in _DAY_MONTH.findall(said)]
    found += [f"{year}-{_MONTHS[month.lower()]:02d}-{int(day):02d}" for month, day, year in _MONTH_DAY.findall(said)]
    return list(dict.fromkeys(found))


def _parts(text: str) -> list[str]:
    return [_trimmed(part).casefold() for part in re.split(r",|;|\band\b", text) if _trimmed(part)]


def _as_list(item: Item, text: str) -> Found:
    said = final(text) or _last_line(text)
    return (_parts(said) == _parts(item.answer), said) if said else None


def _as_set(item: Item, text: str) -> Found:
    said = final(text) or _last_line(text)
    parts = _parts(said)
    return (len(parts) == len(set(parts)) and set(parts) == set(_parts(item.answer)), said) if said else None


def _as_json(item: Item, text: str) -> Found:
    """The whole reply, or the only fenced block in it. Texts are compared without regard to case, keys are not."""
    fenced = _FENCE.findall(text)
    try:
        value = json.loads(fenced[0] if len(fenced) == 1 else text)
    except (ValueError, RecursionError):
        return None
    return _folded(value) == _folded(json.loads(item.answer)), canonical(value)


def _folded(value: object) -> object:
    """The value with its texts in small letters; ``True`` stays apart from 1."""
    if isinstance(value, dict):
        return {key: _folded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_folded(one) for one in value]
    if isinstance(value, str):
        return value.casefold().strip()
    return (type(value).__name__, value)


def _as_rules(item: Item, text: str) -> Found:
    failed = rules.broken(text.strip(), item.rules)
    return not failed, "broken: " + ", ".join(failed) if failed else "all rules kept"


_READERS: Mapping[str, Callable[[Item, str], Found]] = {
    "number": _as_number,
    "word": _as_word,
    "text": _as_text,
    "date": _as_date,
    "list": _as_list,
    "set": _as_set,
    "json": _as_json,
    "rules": _as_rules,
}
