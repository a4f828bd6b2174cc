"""Settings from all layers, each value with its origin, and what is stored of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.analysis.ratings import BANDS
from llmtester.domain.errors import ConfigurationError
from llmtester.domain.work import ServerSettings
from llmtester.profiles.interactive import InteractiveOptions
from llmtester.settings import Loaded, assignments, load_settings
from llmtester.settings.names import OTHER_VARIABLES


def load(
    tmp_path: Path, text: str = "", overrides: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
) -> Loaded:
    file = tmp_path / "given.yaml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, overrides, env or {})


def test_defaults_are_those_of_the_domain() -> None:
    """Without any file, variable or flag, servers and profile get exactly the defaults of their own types."""
    loaded = load_settings(env={})
    assert loaded.settings.server.as_server_settings() == ServerSettings()
    assert loaded.settings.profiles.options_for("interactive") == InteractiveOptions()
    assert loaded.file is None
    assert set(loaded.origins.values()) == {"default"}


def test_every_server_setting_can_be_set() -> None:
    """No field of the domain's server settings is missing here."""
    assert set(asdict(ServerSettings())) == set(type(load_settings(env={}).settings.server).model_fields)


def test_precedence_rises_from_file_to_environment_to_flag(tmp_path: Path) -> None:
    """Each layer beats the one below it, and the origin names the layer that won."""
    text = "server:\n  slots: 2\n  threads: 2\n  batch_tok: 600\n"
    loaded = load(
        tmp_path,
        text,
        {"server.slots": 4},
        {"LLMTESTER_SERVER__SLOTS": "3", "LLMTESTER_SERVER__THREADS": "3"},
    )
    server = loaded.settings.server
    assert (server.slots, server.threads, server.batch_tok, server.context_tok) == (4, 3, 600, 4096)
    assert loaded.origins["server.slots"] == "flag"
    assert loaded.origins["server.threads"] == "env LLMTESTER_SERVER__THREADS"
    assert loaded.origins["server.batch_tok"] == f"{tmp_path / 'given.yaml'}:4"
    assert loaded.origins["server.context_tok"] == "default"


def test_a_flag_that_was_not_given_overrides_nothing(tmp_path: Path) -> None:
    """``None`` stands for a flag that is absent from the command line."""
    assert load(tmp_path, "run:\n  quick: true\n", {"run.quick": None}).settings.run.quick is True


def test_a_file_in_the_current_folder_is_found(home: Path) -> None:
    """``llmtester.yaml`` here is read without being named."""
    (home / "llmtester.yaml").write_text("display: plain\n", encoding="utf-8")
    loaded = load_settings(env={})
    assert loaded.settings.display == "plain"
    assert loaded.origins["display"] == "llmtester.yaml:1"


def test_the_users_own_file_is_found_after_it(home: Path) -> None:
    """Without a file here, the one in the user's configuration folder is read."""
    from platformdirs import user_config_path

    own = user_config_path("llmtester") / "llmtester.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("log_level: debug\n", encoding="utf-8")
    assert load_settings(env={}).settings.log_level == "debug"
    (home / "llmtester.yaml").write_text("display: plain\n", encoding="utf-8")
    assert load_settings(env={}).settings.log_level == "info"


def test_empty_sections_and_files_mean_defaults(tmp_path: Path) -> None:
    """A section whose lines are all commented out is no error."""
    assert load(tmp_path, "").settings == load(tmp_path, "server:\nprofiles:\n  interactive:\n").settings


def test_yaml_1_1_surprises_do_not_happen(tmp_path: Path) -> None:
    """``on`` stays the word, ``010`` is ten, ``1e3`` is a number, and a date in a list of names is text."""
    text = (
        "server: {flash_attention: on, threads: 010}\n"
        "engine: {load_timeout_s: 1e3}\n"
        "models: {quants: [2024-01-01], include: ['8']}\n"
    )
    found = load(tmp_path, text).settings
    assert (found.server.flash_attention, found.server.threads, found.engine.load_timeout_s) == ("on", 10, 1000)
    assert (found.models.quants, found.models.include) == (("2024-01-01",), ("8",))


def test_text_layers_read_lists_numbers_and_null(tmp_path: Path) -> None:
    """From variables and ``--set``: commas separate, ``null`` empties, paths are expanded, numbers are numbers."""
    loaded = load(
        tmp_path,
        "server:\n  threads: 8\n",
        assignments(["server.threads=null", "engine.load_timeout_s=2.5", "engine.llama_server=~/bin/llama-server"]),
        {
            "LLMTESTER_MODELS__QUANTS": "Q4_K_M, Q8_0",
            "LLMTESTER_RATINGS__TTFT_MS": "100,200,300",
            "LLMTESTER_SERVER__MEMORY_MAP": "false",
            "LLMTESTER_MODELS__INCLUDE": "123",
        },
    )
    found = loaded.settings
    assert (found.server.threads, found.engine.load_timeout_s, found.server.memory_map) == (None, 2.5, False)
    assert found.engine.llama_server == Path.home() / "bin" / "llama-server"
    assert (found.models.quants, found.models.include) == (("Q4_K_M", "Q8_0"), ("123",))
    assert found.ratings == {"ttft_ms": (100, 200, 300)}
    assert loaded.origins["ratings.ttft_ms"] == "env LLMTESTER_RATINGS__TTFT_MS"


def test_the_built_in_bands_would_be_accepted(tmp_path: Path) -> None:
    """What rates by default can be written into a file as it is."""
    lines = "".join(f"  {name}: {list(limits)}\n" for name, limits in BANDS.items())
    assert load(tmp_path, f"ratings:\n{lines}").settings.ratings == dict(BANDS)


def test_other_programs_variables_are_left_alone(tmp_path: Path) -> None:
    """What tests and benchmarks read, what holds a key and what merely begins like ours is not worth a word."""
    env = dict.fromkeys((*OTHER_VARIABLES, "LLMTESTERX", "_LLMTESTER_COMPLETE", "PATH"), "x")
    key = {"LLMTESTER_ENGINE__API_KEY_ENV": "LLMTESTER_HUSH", "LLMTESTER_HUSH": "x"}
    assert load(tmp_path, "", env=env | key).notes == ()


def test_a_variable_that_changes_nothing_is_named_with_the_nearest(tmp_path: Path) -> None:
    """A name with our prefix that resembles no setting enough to be refused is told, once each."""
    near, far = load(tmp_path, "", env={"LLMTESTER_FOO": "1", "LLMTESTER_CONTEXT_TOKENS": "1"}).notes
    assert "CONTEXT_TOKENS is no setting and changes nothing; did you mean LLMTESTER_SERVER__CONTEXT_TOK?" in near
    assert far == (
        "the environment variable LLMTESTER_FOO is no setting and changes nothing; "
        "llmtester config show lists the settings"
    )


def test_every_variable_that_the_house_reads_is_known() -> None:
    """No test and no benchmark reads a variable of which a person would be told that it changes nothing."""
    root = Path(__file__).parents[2]
    files = [path for folder in ("src", "tests", "benchmarks") for path in (root / folder).rglob("*.py")]
    read = {
        name
        for path in files
        for name in re.findall(
            r"""(?:environ(?:\.get|\.pop)?[\[(]|VARIABLE = )["'](LLMTESTER_(?:(?!__)\w)+)["']""", path.read_text()
        )
    }
    assert read == OTHER_VARIABLES


def test_records_hold_json_values_and_no_user_name(home: Path) -> None:
    """What a journal stores survives JSON, covers every setting and shows the home folder as a tilde."""
    file = home / "mine.yaml"
    file.write_text(f"models:\n  folders: ['{home / 'gguf'}']\n", encoding="utf-8")
    records = load_settings(file, {"run.output_dir": home / "runs"}, {}).as_records()
    assert json.loads(json.dumps(records)) == records
    assert records["models.folders"] == {"value": ["~/gguf"], "origin": "~/mine.yaml:2"}
    assert records["run.output_dir"] == {"value": "~/runs", "origin": "flag"}
    assert str(home) not in json.dumps(records)


def test_the_key_of_a_server_is_read_but_never_stored() -> None:
    """Settings name the variable; its content reaches the engine and neither records nor representation."""
    env = {"MY_KEY": "very-secret", "LLMTESTER_ENGINE__API_KEY_ENV": "MY_KEY"}
    loaded = load_settings(env=env)
    assert loaded.settings.engine_options(env).api_key == "very-secret"
    assert "very-secret" not in json.dumps(loaded.as_records()) + repr(loaded)


def test_a_key_variable_that_is_not_set_is_an_error() -> None:
    """Better now than as a refusal of the server in the middle of a run."""
    loaded = load_settings(env={"LLMTESTER_ENGINE__API_KEY_ENV": "NO_SUCH_KEY"})
    with pytest.raises(ConfigurationError, match="NO_SUCH_KEY is not set"):
        loaded.settings.engine_options({})


@settings(max_examples=50, deadline=None)
@given(
    context_tok=st.integers(64, 4_194_304),
    seed=st.integers(0, 2**63 - 1),
    quants=st.lists(st.sampled_from(["Q4_K_M", "Q8_0", "IQ4_XS"]), max_size=3),
)
def test_all_layers_read_a_value_alike(context_tok: int, seed: int, quants: list[str]) -> None:
    """The same value from a flag, a variable and as an object gives the same settings."""
    as_objects = {"server.context_tok": context_tok, "run.seed": seed, "models.quants": quants}
    as_text = {"server.context_tok": str(context_tok), "run.seed": str(seed), "models.quants": ",".join(quants)}
    as_env = {f"LLMTESTER_{name.upper().replace('.', '__')}": text for name, text in as_text.items()}
    one, two, three = (
        load_settings(overrides=as_objects, env={}),
        load_settings(overrides=as_text, env={}),
        load_settings(env=as_env),
    )
    assert one.settings.model_dump() == two.settings.model_dump() == three.settings.model_dump()
