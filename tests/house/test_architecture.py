"""The house as its design draws it: who may import whom, which word stands for what, and that nothing happens early."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "llmtester"

ROOMS = {"engines", "models", "host", "profiles", "store"}
MAY_IMPORT: dict[str, set[str]] = {
    "domain": set(),
    "analysis": {"domain"},
    **{room: {"domain"} for room in ROOMS},
    "views": {"domain", "analysis"},
    "runner": {"domain", "analysis", "models.memory"},
    "settings": {"domain", "analysis", "runner", "views", *ROOMS},
    "plugins": {"domain", "analysis", "runner", "views", *ROOMS},
    "api": {"domain", "analysis", "runner", "views", "settings", "plugins", *ROOMS},
    "cli": {"api", "domain", "settings"},
    "__main__": {"cli"},
    "__init__": {"api"},
}
"""Layer to what it may import besides itself; the name of the package itself (its version) is free to all."""

LIVES_IN: dict[str, set[str]] = {
    "httpx": {"engines", "models"},
    "huggingface_hub": {"models"},
    "xllamacpp": {"engines"},
    "psutil": {"host", "engines", "models"},
    "rich": {"views", "cli"},
    "plotly": {"views"},
    "jinja2": {"views"},
    "typer": {"cli"},
    "pydantic": {"settings", "store.schema"},
    "pydantic_core": {"settings", "store.schema"},
    "pydantic_settings": {"settings"},
}
MAY_CATCH_EVERYTHING = {"cli.console.guarded", "models.transfers._work"}
"""What a person meets, and the download thread that hands every error to the thread that waits for it."""

SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "core"}


@cache
def modules() -> dict[str, ast.Module]:
    """Dotted name without ``llmtester.`` (``domain.work``; ``domain`` for a package) to its syntax tree."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imports(tree: ast.Module, *, types: bool = True) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported anywhere in a module, functions included; without ``types``
    what is imported for annotations only is left out, because it never happens."""
    left_out = set() if types else {inner for node in ast.walk(tree) if _is_for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def within(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str) -> None:
    """A module imports from its own layer and from those below it, as the table says."""
    layer = module.partition(".")[0]
    for line, name in imports(modules()[module]):
        inner = name.removeprefix("llmtester.")
        if inner == name or inner.startswith("__"):
            continue
        assert within(inner, {layer, *MAY_IMPORT[layer]}), f"{module}:{line} imports {name}"


@pytest.mark.parametrize("module", modules())
def test_libraries_stay_in_their_rooms(module: str) -> None:
    """Each heavy library is known to one or two rooms, and the domain knows the standard library only."""
    for line, name in imports(modules()[module], types=False):
        library = name.partition(".")[0]
        assert within(module, LIVES_IN.get(library, {module})), f"{module}:{line} imports {name}"
        if module.partition(".")[0] in {"domain", "analysis"}:
            assert library == "llmtester" or library in sys.stdlib_module_names, f"{module}:{line} imports {name}"


def test_only_the_boundaries_catch_everything() -> None:
    """A broad ``except`` hides bugs; the two functions that may have one are named here."""
    found = set()
    for module, tree in modules().items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                handlers = (node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler))
                if any(_is_broad(handler.type) for handler in handlers):
                    found.add(f"{module}.{function.name}")
    assert found <= MAY_CATCH_EVERYTHING


def _is_broad(caught: ast.expr | None) -> bool:
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(part is None or ast.unparse(part) in {"Exception", "BaseException"} for part in parts)


def test_module_names_say_what_is_inside() -> None:
    """No module is called by a word that fits anything."""
    assert not [name for name in modules() if SAYS_NOTHING & set(name.split("."))]


def test_every_module_and_public_name_is_documented() -> None:
    """Every module says in its first line what it is for, and so does every public class and function of ``api``."""
    assert not [name for name, tree in modules().items() if not ast.get_docstring(tree)]
    public = [node for node in modules()["api"].body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert not [node.name for node in public if not node.name.startswith("_") and not ast.get_docstring(node)]


def test_the_architecture_page_names_what_exists() -> None:
    """Every module that ``docs/architecture.md`` names in backticks is there."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = re.findall(r"`([\w./-]+\.py)`", page) + re.findall(r"`(llmtester(?:\.\w+)+)`", page)
    assert names
    missing = [name for name in names if not _exists(name)]
    assert not missing


def test_the_architecture_page_is_short_and_its_rooms_are_as_drawn() -> None:
    """At most 150 lines, every room of the package, and in each row modules that are in that room."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 150
    drawn = set()
    for line in page.partition("## Rooms")[2].partition("## ")[0].splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        rooms = re.findall(r"`(\w+)/`", cells[1]) if len(cells) > 2 else []
        drawn |= set(rooms)
        for name in re.findall(r"`(\w+)/?`", cells[2]) if rooms else []:
            assert any(f"{room}.{name}" in modules() for room in rooms) or name in SPOKEN_OF, f"{rooms}: {name}"
    assert (
        drawn == {name.partition(".")[0] for name in modules() if f"{name}." in " ".join(modules())} & MAY_IMPORT.keys()
    )


SPOKEN_OF = {"doctor"}
"""Words in the table of rooms that are commands and not modules of that room alone."""


def _exists(name: str) -> bool:
    """Whether a path (from the package or the root) or a dotted name (of a module or something in it) is real."""
    if name.endswith(".py"):
        return any((base / name).is_file() for base in (ROOT, ROOT / "src", PACKAGE))
    inner = name.removeprefix("llmtester.")
    if inner in modules():
        return True
    owner, _, attribute = inner.rpartition(".")
    return owner in modules() and bool(re.search(rf"\b{attribute}\b", ast.unparse(modules()[owner])))


def test_importing_has_no_effects(home: Path) -> None:
    """Importing every module writes no file, prints nothing and starts no thread."""
    names = [f"llmtester.{name}" for name in modules() if name not in {"__init__", "__main__"}]
    code = f"import importlib, threading\nfor name in {names!r}: importlib.import_module(name)\n"
    code += "assert threading.active_count() == 1, threading.enumerate()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []


def test_every_test_says_what_it_shows() -> None:
    """Each test function has a docstring of one sentence or a few."""
    silent = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                silent += [] if ast.get_docstring(node) else [f"{path.relative_to(ROOT)}: {node.name}"]
    assert not silent
