"""The documents that come with the program, so that the page which an error names can be read where it happened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from llmtester.domain.errors import NothingToDo
from llmtester.domain.text import nearest, printable

_HEADING = re.compile(r"^(#{1,4}) (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_FOR_THE_SITE = re.compile(r"^<!--.*?-->\n|^!\[[^\]]*\]\([^)]*\)\n", re.MULTILINE | re.DOTALL)
"""Remarks for tests and pictures: nothing that a terminal could show."""


def pages() -> dict[str, str]:
    """Name of every page to its Markdown, ``index`` first. A checkout has them in ``docs``, a wheel in the package."""
    packed = files("llmtester") / "documents"
    folder: Traversable = packed if packed.is_dir() else Path(__file__).parents[3] / "docs"
    found = {
        one.name.removesuffix(".md"): _FOR_THE_SITE.sub("", one.read_text(encoding="utf-8"))
        for one in folder.iterdir()
        if one.name.endswith(".md")
    }
    return dict(sorted(found.items(), key=lambda page: (page[0] != "index", page[0])))


def title(text: str) -> str:
    """The first heading of a page."""
    return next((heading[2] for heading in _HEADING.finditer(text)), "")


def sections(text: str) -> Iterator[tuple[str, str]]:
    """The anchor of every heading of a page and the Markdown from there to the next heading that is not below it."""
    shadow = _FENCED.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)  # a # in a script is no heading
    headings = list(_HEADING.finditer(shadow))
    for place, heading in enumerate(headings):
        after = (other.start() for other in headings[place + 1 :] if len(other[1]) <= len(heading[1]))
        yield anchor(heading[2]), text[heading.start() : next(after, len(text))].rstrip() + "\n"


def anchor(heading: str) -> str:
    """What a heading is called in an address, as the site and code hosts build it."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def document(topic: str) -> str:
    """The Markdown of a page (``settings``) or a section (``nothing-matched``, ``docs/models.md#names``).

    Raises ``NothingToDo`` with the nearest names.
    """
    every = pages()
    page, _, part = topic.strip().removeprefix("docs/").partition("#")
    name = page.removesuffix(".md")
    if name in every and not part:
        return every[name]
    known = dict(_every_section({name: every[name]} if name in every else every))
    wanted = part or name
    if wanted in known:
        return known[wanted]
    near = nearest(wanted, [*every, *known])
    raise NothingToDo(
        f"the documents have no page and no section {printable(topic)!r}",
        why=f"did you mean {' or '.join(near)}?" if near else "",
        fix=f"llmtester docs {near[0]}" if near else "llmtester docs",
    )


def _every_section(of: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The sections of pages; of two with one anchor the first counts."""
    seen: set[str] = set()
    for text in of.values():
        for name, section in sections(text):
            if name not in seen:
                seen.add(name)
                yield name, section
