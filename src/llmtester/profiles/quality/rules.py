"""Rules that a text keeps or breaks, each decided by counting: what the category "instructions" is made of.

``RULES`` maps a name to how it is checked and how it is asked for; ``{0}`` and ``{1}`` stand for the parts of its
argument, which a colon divides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleKind:
    """``holds`` gets the text and the argument; ``asked`` is the sentence that a model reads."""

    holds: Callable[[str, str], bool]
    asked: str

    def request(self, argument: str) -> str:
        """The sentence with its argument."""
        return self.asked.format(*argument.split(":"))


def words(text: str) -> list[str]:
    """Runs of letters, digits, apostrophes and hyphens."""
    return re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*", text)


def sentences(text: str) -> list[str]:
    """What ends in a full stop, question mark or exclamation mark, or with the line."""
    return [part for part in re.split(r"[.!?]+(?:\s+|$)|\n+", text.strip()) if words(part)]


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def paragraphs(text: str) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


def bullets(text: str) -> list[str]:
    """Lines that begin with ``- `` or ``* ``, without the mark."""
    return [line[2:].strip() for line in lines(text) if line.startswith(("- ", "* "))]


def numbered(text: str) -> list[str]:
    """The numbers at the beginnings of lines such as ``1. first``."""
    return [found.group(1) for line in lines(text) if (found := re.match(r"(\d+)[.)]\s", line))]


def _count(of: Callable[[str], list[str]]) -> Callable[[str, str], bool]:
    return lambda text, wanted: len(of(text)) == int(wanted)


def _word(text: str, word: str) -> int:
    return [found.lower() for found in words(text)].count(word.lower())


def _times(text: str, argument: str) -> bool:
    word, _, count = argument.partition(":")
    return _word(text, word) == int(count)


def _order(text: str, argument: str) -> bool:
    first, _, second = argument.partition(":")
    said = [found.lower() for found in words(text)]
    return first in said and second in said and said.index(first) < said.index(second)


RULES: Mapping[str, RuleKind] = {
    "words": RuleKind(_count(words), "Write exactly {0} words."),
    "words_at_most": RuleKind(lambda t, a: len(words(t)) <= int(a), "Write at most {0} words."),
    "words_at_least": RuleKind(lambda t, a: len(words(t)) >= int(a), "Write at least {0} words."),
    "sentences": RuleKind(_count(sentences), "Write exactly {0} sentence(s)."),
    "lines": RuleKind(_count(lines), "Write exactly {0} lines of text."),
    "paragraphs": RuleKind(_count(paragraphs), "Write exactly {0} paragraphs with an empty line between them."),
    "bullets": RuleKind(_count(bullets), "Write exactly {0} bullet points, each on a line that begins with '- '."),
    "numbered": RuleKind(
        lambda t, a: numbered(t) == [str(n) for n in range(1, int(a) + 1)],
        "Number the lines from 1. to {0}., one line for each number.",
    ),
    "contains": RuleKind(lambda t, a: _word(t, a) > 0, "Use the word '{0}'."),
    "contains_not": RuleKind(lambda t, a: _word(t, a) == 0, "Do not use the word '{0}'."),
    "times": RuleKind(_times, "Use the word '{0}' exactly {1} times."),
    "order": RuleKind(_order, "Use the word '{0}' and later the word '{1}'."),
    "without_letter": RuleKind(lambda t, a: a not in t.lower(), "Do not use the letter '{0}' anywhere."),
    "no_comma": RuleKind(lambda t, a: "," not in t, "Use no comma."),
    "no_digit": RuleKind(lambda t, a: not re.search(r"\d", t), "Use no digits."),
    "lower": RuleKind(lambda t, a: t == t.lower(), "Use small letters only, no capital letters."),
    "upper": RuleKind(lambda t, a: t == t.upper(), "Use capital letters only."),
    "starts": RuleKind(lambda t, a: [w.lower() for w in words(t)[:1]] == [a.lower()], "Begin with the word '{0}'."),
    "ends": RuleKind(lambda t, a: [w.lower() for w in words(t)[-1:]] == [a.lower()], "Let the last word be '{0}'."),
    "ends_with_mark": RuleKind(lambda t, a: t.rstrip().endswith(a), "Let the last character be {0}"),
    "title": RuleKind(
        lambda t, a: bool(lines(t)) and re.fullmatch(r"<<[^<>]+>>", lines(t)[0]) is not None,
        "Begin with a line that holds a title in double angle brackets, such as <<title>>.",
    ),
    "quoted": RuleKind(
        lambda t, a: len(t.strip()) > 2 and t.strip()[0] == '"' and t.strip()[-1] == '"',
        "Put the whole answer in double quotation marks.",
    ),
    "divided": RuleKind(
        lambda t, a: len([part for part in t.split("***") if words(part)]) == int(a) and t.count("***") == int(a) - 1,
        "Give exactly {0} different answers, with *** between them.",
    ),
    "question": RuleKind(lambda t, a: t.count("?") == int(a), "Use exactly {0} question marks."),
    "postscript": RuleKind(
        lambda t, a: bool(lines(t)) and lines(t)[-1].startswith("P.S. "), "End with a line that begins with 'P.S. '."
    ),
    "longest_word": RuleKind(
        lambda t, a: max((len(w) for w in words(t)), default=0) <= int(a), "Use no word of more than {0} letters."
    ),
}


def broken(text: str, rules: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The names of the rules that ``text`` breaks. Raises ``KeyError`` for a rule that does not exist."""
    return tuple(name for name, argument in rules if not RULES[name].holds(text, argument))
