"""The page about profiles says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from llmtester import plugins
from llmtester.analysis import usable_context
from llmtester.profiles import haystack, own_prompts
from llmtester.profiles.interactive import LOAD_NAMES
from llmtester.profiles.json_schema import IGNORED, understood
from llmtester.profiles.long_context import QUICK_LARGEST_TOK

PAGE = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return re.split(r"^## ", PAGE, flags=re.MULTILINE)[[*re.findall(r"^## (\w+)", PAGE, re.MULTILINE)].index(name) + 1]


def test_every_profile_is_on_the_page() -> None:
    """By its name, in the table of questions."""
    assert [name for name in plugins.PROFILES if f"| [{name}](" not in PAGE] == []


def test_loads_keys_and_keywords_are_named() -> None:
    """Nobody has to read the code to use them."""
    assert [name for name in LOAD_NAMES if f"| `{name}` |" not in section("interactive")] == []
    assert [key for key in own_prompts.KEYS if f"| `{key}` |" not in section("custom")] == []
    assert [word for word in understood() if f"`{word}`" not in section("custom") and word not in IGNORED] == []


def test_limits_are_those_of_the_code() -> None:
    """Two minutes, 85 % and half, two steps, 16k, eight questions from six keys at 5 to 90 per cent."""
    assert usable_context.LONGEST_WAIT_S == 120
    assert f"{usable_context.STILL_FOUND_RATIO:.0%}".replace("%", " %") in section("long_context")
    assert (usable_context.FOUND_AT_ALL_RATIO, usable_context.RETRIEVAL_FAILURES) == (0.5, 2)
    assert f"{QUICK_LARGEST_TOK // 1024}k" in section("long_context")
    hidden = haystack.haystack(1)
    depths = [one.depth_ratio for one in hidden.planted]
    assert (len(hidden.questions), len(haystack.KEY_DEPTHS), min(depths), max(depths)) == (8, 6, 0.05, 0.9)
    assert usable_context.BANDS_TOK == (32_768, 8192, 4096)
