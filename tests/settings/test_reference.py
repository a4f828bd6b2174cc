"""The page of settings, the example files and the command that writes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from llmtester.cli import config_commands
from llmtester.cli.console import guarded
from llmtester.domain.errors import ExitCode
from llmtester.models import catalog
from llmtester.settings import load_settings
from llmtester.settings.names import LEAVES, OPEN_SECTIONS, SECTIONS, environment_name, field_of
from llmtester.settings.reference import example, markdown

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    """``docs/settings.md`` is what ``python -m llmtester.settings.reference`` prints."""
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == markdown()


def test_the_example_file_is_current() -> None:
    """``examples/config.example.yaml`` is what the same command prints with ``--example``."""
    assert (ROOT / "examples" / "config.example.yaml").read_text(encoding="utf-8") == example()


def test_every_setting_is_explained() -> None:
    """Every setting has a description, stands in the page and in the example, and ends its sentence."""
    for name, info in LEAVES.items():
        assert info.description, name
        assert info.description.endswith("."), name
        if name[0] not in OPEN_SECTIONS:
            assert f"| `{'.'.join(name)}` |" in markdown()
        assert re.search(rf"^ *#?{name[-1]}:", example(), re.MULTILINE), name
    assert all(section.__doc__ for section in SECTIONS.values())


def test_every_number_names_its_unit_or_counts_something() -> None:
    """A name ends in its unit, or in a plural or a word that says what is counted."""
    units = re.compile(r"_(tok|s|ratio|bytes|trials|layers|count)$|^(slots|threads|seed|trials|concurrency)$")
    for name, info in LEAVES.items():
        if info.annotation in {int, float}:
            assert units.search(name[-1]), name


def test_the_example_as_it_is_sets_nothing(tmp_path: Path) -> None:
    """A freshly written file changes no setting, so it is safe to start from."""
    file = tmp_path / "fresh.yaml"
    file.write_text(example(), encoding="utf-8")
    assert load_settings(file, env={}).settings == load_settings(env={}).settings


def test_every_line_of_the_example_can_be_uncommented(tmp_path: Path) -> None:
    """With every ``#`` in front of a name removed, the file is accepted and every setting comes from it."""
    file = tmp_path / "all.yaml"
    file.write_text(re.sub(r"^( *)#(?=[a-z_]+:)", r"\1", example(), flags=re.MULTILINE), encoding="utf-8")
    loaded = load_settings(file, env={})
    assert {origin.partition(":")[0] for origin in loaded.origins.values()} == {str(file)}


def test_the_example_catalog_is_read_by_the_models_room() -> None:
    """``examples/models.example.yaml`` is a catalog, and its first entry shows every key there is."""
    file = ROOT / "examples" / "models.example.yaml"
    entries = catalog.load(file).entries
    assert {"qwen2.5-1.5b-team", "house-model"} <= {entry.name for entry in entries}
    shown = {key for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["models"] for key in entry}
    assert shown == set(catalog.CatalogEntry.__dataclass_fields__)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = guarded(config_commands.app, words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_show_prints_every_setting_with_its_origin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line for each setting, the origin behind it; data on standard output only."""
    monkeypatch.setenv(environment_name(("server", "slots")), "3")
    code, out, err = run(capsys, "show", "--origin", "--set", "run.seed=7")
    assert (code, err) == (ExitCode.OK, "")
    assert re.search(r"^server\.slots = 3 +# env LLMTESTER_SERVER__SLOTS$", out, re.MULTILINE)
    assert re.search(r"^run\.seed = 7 +# flag$", out, re.MULTILINE)
    assert len(out.splitlines()) == len(LEAVES) - len(OPEN_SECTIONS)


def test_show_as_json_is_one_envelope(capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` gives the records that a journal stores, with a schema name."""
    code, out, _ = run(capsys, "show", "--json")
    envelope = json.loads(out)
    assert (code, envelope["schema"], envelope["ok"]) == (0, "llmtester/config/1", True)
    assert envelope["data"] == load_settings().as_records()


def test_init_writes_once(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """The example is written; a second time it is kept and the fix names ``--force``."""
    assert run(capsys, "init")[0] == ExitCode.OK
    written = home / "llmtester.yaml"
    assert written.read_text(encoding="utf-8") == example()
    written.write_text("display: plain\n", encoding="utf-8")
    code, _, err = run(capsys, "init")
    assert code == ExitCode.ENVIRONMENT
    assert "fix: llmtester config init llmtester.yaml --force" in err
    assert written.read_text(encoding="utf-8") == "display: plain\n"
    assert run(capsys, "init", "--force")[0] == ExitCode.OK
    assert written.read_text(encoding="utf-8") == example()


def test_init_into_nowhere_leaves_nothing(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A folder that does not exist is one message, and no half-written file."""
    code, out, err = run(capsys, "init", "no/such/folder.yaml")
    assert (code, out) == (ExitCode.ENVIRONMENT, "")
    assert "cannot be written" in err
    assert list(home.iterdir()) == []


def test_every_setting_that_a_message_recommends_exists() -> None:
    """Whatever code or documentation tells a person to ``--set`` is a setting."""
    texts = [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in texts
        for name in re.findall(r"--set ([a-z_]+(?:\.[a-z_]+)*)=", path.read_text(encoding="utf-8"))
    }
    assert named
    assert [one for one in named if field_of(tuple(one[1].split("."))) is None] == []
