"""Instructions to follow exactly. A text that keeps the rules is built first and the rules are read off it, so every
item can be fulfilled; for each rule a text that breaks it is built as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from llmtester.profiles.quality import rules as checks
from llmtester.profiles.quality.dice import Dice
from llmtester.profiles.quality.items import Category, Draft, Rule
from llmtester.profiles.quality.rules import RULES
from llmtester.profiles.quality.words import ANIMALS, COLOURS, GOODS, JOBS, NAMES, OBJECTS, ROOMS, TOWNS

_VERBS = ("found", "carried", "painted", "lost", "sold", "repaired", "cleaned", "borrowed", "counted", "drew")


def _sentence(dice: Dice) -> str:
    return f"The {dice.choice(JOBS)} {dice.choice(_VERBS)} the {dice.choice(COLOURS)} {dice.choice(OBJECTS)}"


def _sentences(dice: Dice, count: int) -> list[str]:
    made: list[str] = []
    while len(made) < count:
        one = _sentence(dice)
        if one not in made:
            made.append(one)
    return made


def _subject(dice: Dice) -> str:
    scenes = (
        f"a {dice.choice(JOBS)} and a {dice.choice(ANIMALS)} in {dice.choice(TOWNS)}",
        f"{dice.choice(NAMES)}, who looks for a {dice.choice(OBJECTS)} in the {dice.choice(ROOMS)}",
        f"a market in {dice.choice(TOWNS)} where {dice.choice(NAMES)} sells {dice.choice(GOODS)}",
        f"the day on which {dice.choice(NAMES)} painted the {dice.choice(ROOMS)} {dice.choice(COLOURS)}",
    )
    return dice.choice(scenes)


def _worded(dice: Dice, text: str, names: Sequence[str]) -> list[Rule]:
    """Rules about single words that ``text`` keeps, of the kinds ``names``."""
    said = [word.lower() for word in checks.words(text)]
    chosen = dice.choice([word for word in said if len(word) > 3])
    absent = dice.choice([word for word in OBJECTS if word not in said])
    letters = [letter for letter in "zxqkvjwy" if letter not in text.lower()]
    first, second = said[1], said[-1]
    made: dict[str, Rule] = {
        "contains": ("contains", chosen),
        "contains_not": ("contains_not", absent),
        "times": ("times", f"{chosen}:{said.count(chosen)}"),
        "starts": ("starts", said[0]),
        "ends": ("ends", said[-1]),
        "no_comma": ("no_comma", ""),
        "no_digit": ("no_digit", ""),
        "longest_word": ("longest_word", str(max(len(word) for word in said) + dice.below(3))),
    }
    if letters:
        made["without_letter"] = ("without_letter", dice.choice(letters))
    if first != second and said.index(first) < said.index(second):
        made["order"] = ("order", f"{first}:{second}")
    return [made[name] for name in names if name in made]


def _item(dice: Dice, level: int, text: str, own: Sequence[Rule], words: Sequence[str]) -> Draft:
    """An item about ``text``: its own rules and, from level 2 on, one or two about words."""
    rules = tuple(dict.fromkeys([*own, *_worded(dice, text, dice.sample(words, level - 1))]))
    asked = "\n".join(f"- {RULES[name].request(argument)}" for name, argument in rules)
    wrong = tuple(_break(text, rule) for rule in rules)
    return Draft(
        f"Write about {_subject(dice)}. Follow all of these rules:\n{asked}",
        " ".join(name for name, _ in rules),
        type="rules",
        rules=rules,
        oracle=text,
        replies=tuple(dict.fromkeys(wrong)),
    )


_BREAK: Mapping[str, Callable[[str, str], str]] = {
    "words": lambda text, _: f"{text} Indeed.",
    "words_at_most": lambda text, limit: f"{text} {'Indeed. ' * int(limit)}",
    "words_at_least": lambda text, _: " ".join(checks.words(text)[:1]),
    "sentences": lambda text, _: f"{text} It was a fine day. ",
    "lines": lambda text, _: f"{text}\nOne line more.",
    "paragraphs": lambda text, _: f"{text}\n\nOne paragraph more.",
    "bullets": lambda text, _: f"{text}\n- One point more",
    "numbered": lambda text, limit: f"{text}\n{int(limit) + 2}. One line more",
    "contains": lambda text, word: _without(text, word),  # noqa: PLW0108 - defined below this table
    "contains_not": lambda text, word: f"{text} {word}",
    "times": lambda text, argument: f"{text} {argument.partition(':')[0]}",
    "order": lambda text, argument: f"{argument.partition(':')[2]} {_without(text, argument.partition(':')[2])}",
    "without_letter": lambda text, letter: f"{text} {letter}",
    "no_comma": lambda text, _: f"{text}, indeed",
    "no_digit": lambda text, _: f"{text} 7",
    "lower": lambda text, _: f"{text} Indeed",
    "upper": lambda text, _: f"{text} indeed",
    "starts": lambda text, _: f"Well {text}",
    "ends": lambda text, _: f"{text} indeed",
    "ends_with_mark": lambda text, _: f"{text} indeed",
    "title": lambda text, _: "\n".join(text.splitlines()[1:]),
    "quoted": lambda text, _: text.strip('"'),
    "divided": lambda text, _: text.replace("***", " "),
    "question": lambda text, _: f"{text} Why?",
    "postscript": lambda text, _: f"{text}\nThe end.",
    "longest_word": lambda text, _: f"{text} incomprehensibility",
}
"""For each rule how to turn a text that keeps it into one that breaks it."""


def _without(text: str, word: str) -> str:
    return " ".join(found for found in checks.words(text) if found.lower() != word.lower())


def _break(text: str, rule: Rule) -> str:
    name, argument = rule
    return _BREAK[name](text, argument)


_PLAIN = ("contains", "contains_not", "no_comma", "no_digit", "without_letter", "longest_word", "starts", "times")


def exact(dice: Dice, level: int) -> Draft:
    text = ". ".join(_sentences(dice, 1 + level)) + "."
    return _item(dice, level, text, [("words", str(len(checks.words(text))))], _PLAIN)


def short(dice: Dice, level: int) -> Draft:
    text = ". ".join(_sentences(dice, 1 + dice.below(3))) + "."
    count = len(checks.words(text))
    own = [("words_at_most", str(count + dice.between(0, 12))), ("sentences", str(len(checks.sentences(text))))]
    return _item(dice, level, text, own, _PLAIN)


def long(dice: Dice, level: int) -> Draft:
    text = ". ".join(_sentences(dice, 3 + level)) + "."
    own = [("words_at_least", str(len(checks.words(text)) - dice.between(0, 6)))]
    return _item(dice, level, text, own, (*_PLAIN, "order", "ends"))


def listed(dice: Dice, level: int) -> Draft:
    count = 2 + level
    text = "\n".join(f"- {one}" for one in _sentences(dice, count))
    return _item(
        dice, level, text, [("bullets", str(count))], ("contains", "contains_not", "no_comma", "no_digit", "times")
    )


def steps(dice: Dice, level: int) -> Draft:
    count = 2 + level
    text = "\n".join(f"{number}. {one}" for number, one in enumerate(_sentences(dice, count), start=1))
    own = [("numbered", str(count)), ("lines", str(count))]
    return _item(dice, level, text, own, ("contains", "contains_not", "no_comma", "times"))


def spaced(dice: Dice, level: int) -> Draft:
    count = 2 + dice.below(2)
    text = "\n\n".join(f"{one}." for one in _sentences(dice, count))
    return _item(dice, level, text, [("paragraphs", str(count))], _PLAIN)


def small(dice: Dice, level: int) -> Draft:
    text = ". ".join(_sentences(dice, 1 + level)).lower() + "."
    own = [("lower", ""), ("sentences", str(1 + level))]
    return _item(dice, level, text, own, ("contains", "contains_not", "no_comma", "no_digit", "ends", "longest_word"))


def capital(dice: Dice, level: int) -> Draft:
    text = ". ".join(_sentences(dice, level)).upper() + "!"
    own = [("upper", ""), ("ends_with_mark", "!")]
    return _item(dice, level, text, own, ("contains", "contains_not", "no_comma", "no_digit"))


def headed(dice: Dice, level: int) -> Draft:
    title, *rest = _sentences(dice, 2 + level)
    text = f"<<{title}>>\n" + ". ".join(rest) + "."
    return _item(dice, level, text, [("title", "")], ("contains", "contains_not", "no_comma", "no_digit", "times"))


def spoken(dice: Dice, level: int) -> Draft:
    text = f'"{". ".join(_sentences(dice, 1 + level))}."'
    own = [("quoted", ""), ("sentences", str(1 + level))]
    return _item(dice, level, text, own, ("contains", "contains_not", "no_comma", "no_digit"))


def twofold(dice: Dice, level: int) -> Draft:
    count = 2 + dice.below(2)
    text = " *** ".join(f"{one}." for one in _sentences(dice, count))
    return _item(dice, level, text, [("divided", str(count))], ("contains", "contains_not", "no_comma", "no_digit"))


def asking(dice: Dice, level: int) -> Draft:
    text = ". ".join(_sentences(dice, level)) + f". Who owns the {dice.choice(OBJECTS)}?"
    own = [("question", "1"), ("ends_with_mark", "?")]
    return _item(dice, level, text, own, ("contains", "contains_not", "no_comma", "no_digit", "starts"))


def late_thought(dice: Dice, level: int) -> Draft:
    text = ". ".join(_sentences(dice, 1 + level)) + f".\nP.S. {_sentence(dice)}."
    return _item(
        dice, level, text, [("postscript", "")], ("contains", "contains_not", "no_comma", "no_digit", "starts")
    )


INSTRUCTIONS = Category(
    "instructions",
    (
        ("exact", exact),
        ("short", short),
        ("long", long),
        ("bullets", listed),
        ("steps", steps),
        ("paragraphs", spaced),
        ("small", small),
        ("capital", capital),
        ("title", headed),
        ("quoted", spoken),
        ("divided", twofold),
        ("question", asking),
        ("postscript", late_thought),
    ),
    "Reply with the text only.",
    160,
)
