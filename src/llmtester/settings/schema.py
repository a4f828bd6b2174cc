"""Every setting once: name with unit, default, bounds and what it is for. ``docs/settings.md`` is generated from here.

Defaults that belong to the domain or to a profile are read from there, so that each stands in one place only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from llmtester.analysis.metrics import METRICS
from llmtester.domain.errors import ConfigurationError
from llmtester.domain.ports import EngineOptions
from llmtester.domain.work import CacheType, ServerSettings
from llmtester.models.places import known_folders
from llmtester.settings.profile_sections import ProfilesSettings
from llmtester.settings.section import (
    LONGEST_CONTEXT_TOK,
    Limits,
    Number,
    Section,
    Url,
    UserPath,
    VariableName,
    WholeNumber,
    bounded,
)

_SERVER = ServerSettings()
_OPTIONS = EngineOptions()


def default_model_folders() -> tuple[Path, ...]:
    """Where models are looked for: our own folder first (``models pull`` writes there), ``models`` here, then the
    folders of other programs that exist on this machine."""
    return (user_data_path("llmtester") / "models", Path("models"), *known_folders())


def band_problem(metric: str, limits: tuple[float, float, float]) -> str | None:
    """What is wrong with the limits of excellent, good and acceptable for a metric, or ``None``."""
    if metric not in METRICS:
        near = get_close_matches(metric, METRICS, n=1)
        return "there is no such metric" + (f"; the nearest is {near[0]}" if near else "")
    better = METRICS[metric].info.better
    if better == "neither":
        return "this metric is neither better high nor better low, so it cannot be rated"
    if limits != tuple(sorted(set(limits), reverse=better == "higher")):
        return f"{better} is better, so excellent, good and acceptable must follow in that order"
    return None


class ModelsSettings(Section):
    """Which models take part."""

    folders: tuple[UserPath, ...] = Field(
        default_factory=default_model_folders,
        min_length=1,
        description="Folders that are searched for GGUF files. `models pull` writes into the first one.",
    )
    include: tuple[str, ...] = Field(
        default=(),
        description="Only models whose name matches one of these patterns (`*`, `?`) take part. Empty: all.",
    )
    quants: tuple[str, ...] = Field(
        default=(),
        description="Only these quantizations take part, such as `Q4_K_M`. Case does not matter. Empty: all.",
    )
    catalog: UserPath | None = Field(
        default=None,
        description="A file of models that `models pull` knows by name, as in `llmtester docs models`.",
    )


class EngineSettings(Section):
    """What serves the models."""

    name: str = Field(
        default="auto",
        min_length=1,
        description="`auto` takes a `llama-server` that is named below or on PATH, else `embedded`. Others: "
        "`llama-server`, `embedded`, `openai`, `ollama`, `vllm`, `lmstudio`, `localai`, `mlx`, `fake`.",
    )
    llama_server: UserPath | None = Field(
        default=None,
        description="The `llama-server` program. Null: search PATH.",
    )
    url: Url | None = Field(
        default=None,
        description="Address of a running server, for engines that do not start one.",
    )
    api_key_env: VariableName | None = Field(
        default=None,
        description="Name of the environment variable that holds the key of that server. Keys are never stored.",
    )
    load_timeout_s: Number = Field(
        default=_OPTIONS.load_timeout_s,
        gt=0,
        le=86_400,
        description="Longest time that a server may take to load a model.",
    )


class ServerSection(Section):
    """How each server is started. Everything that distorts a measurement is pinned here."""

    context_tok: WholeNumber = bounded(
        _SERVER.context_tok,
        64,
        LONGEST_CONTEXT_TOK,
        "Context of each slot; prompt and answer must fit into it together.",
    )
    slots: WholeNumber = bounded(_SERVER.slots, 1, 1024, "Requests that are served at the same time.")
    threads: WholeNumber | None = bounded(_SERVER.threads, 1, 4096, "Threads of the server. Null: the engine chooses.")
    gpu_layers: WholeNumber | None = bounded(
        _SERVER.gpu_layers, 0, 100_000, "Layers that go to the GPU. Null: the engine chooses."
    )
    device: str | None = Field(
        default=_SERVER.device,
        description="Devices in the engine's own names, such as `CUDA0` or `none`. Null: it chooses.",
    )
    tensor_split: str | None = Field(
        default=_SERVER.tensor_split,
        pattern=r"^\d+(\.\d+)?(,\d+(\.\d+)?)*$",
        description="Share of each GPU, such as `3,1`. Null: the engine chooses.",
    )
    flash_attention: Literal["auto", "on", "off"] = Field(
        default=_SERVER.flash_attention,
        description="Faster attention with a smaller working memory, where supported.",
    )
    cache_type_k: CacheType = Field(
        default=_SERVER.cache_type_k,
        description="Number format of the keys in the context cache.",
    )
    cache_type_v: CacheType = Field(
        default=_SERVER.cache_type_v,
        description="Number format of the values in the context cache. Below f16 needs flash attention.",
    )
    batch_tok: WholeNumber = bounded(
        _SERVER.batch_tok, 1, 1_048_576, "Most prompt tokens that are handed to the model at once."
    )
    micro_batch_tok: WholeNumber = bounded(
        _SERVER.micro_batch_tok, 1, 1_048_576, "Most prompt tokens that are computed at once."
    )
    memory_map: bool = Field(
        default=_SERVER.memory_map,
        description="Map the model file instead of reading it into memory.",
    )

    @model_validator(mode="after")
    def _batches_nest(self) -> ServerSection:
        if self.micro_batch_tok > self.batch_tok:
            raise ValueError("micro_batch_tok must not exceed batch_tok")
        return self

    def as_server_settings(self) -> ServerSettings:
        """The same values as the domain's type."""
        return ServerSettings(**self.model_dump())


class RunSettings(Section):
    """One run."""

    seed: WholeNumber = bounded(1, 0, 2**63 - 1, "Equal seeds ask every model the same prompts.")
    output_dir: UserPath = Field(
        default=Path("llmtester-runs"),
        description="Folder in which each run gets a folder of its own.",
    )
    quick: bool = Field(
        default=False,
        description="Fewer trials: a first impression in minutes, with wider intervals.",
    )
    exhaustive: bool = Field(
        default=False,
        description="Measure every cell to its own end instead of dropping what can no longer change the advice.",
    )
    budget_s: Number | None = Field(
        default=None,
        gt=0,
        le=31_536_000,
        description="Time for a run: what decides most is planned into it, nothing is begun later. Null: no limit.",
    )


class Settings(BaseSettings):
    """Everything that can be set, in sections. Read with ``llmtester.settings.load_settings``."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    models: ModelsSettings = Field(default_factory=ModelsSettings)
    engine: EngineSettings = Field(default_factory=EngineSettings)
    server: ServerSection = Field(default_factory=ServerSection)
    profiles: ProfilesSettings = Field(default_factory=ProfilesSettings)
    ratings: dict[str, Limits] = Field(
        default_factory=dict,
        description="Your own bands: for a metric its limits of excellent, good and acceptable. What is worse is poor.",
    )
    run: RunSettings = Field(default_factory=RunSettings)
    display: Literal["auto", "live", "plain", "none"] = Field(
        default="auto",
        description="What a run shows: `live` a dashboard, `plain` one line for each trial, `auto` by terminal.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="What the log file keeps.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only arguments: ``load_settings`` adds the layers, and nothing is read from the process behind its back."""
        return (init_settings,)

    def engine_options(self, env: Mapping[str, str] | None = None, folder: Path | None = None) -> EngineOptions:
        """What engines are constructed with; the key is read from ``env`` (default: the process environment) here.

        Raises ``ConfigurationError`` if ``engine.api_key_env`` names a variable that is not set.
        """
        engine = self.engine
        key = None
        if engine.api_key_env is not None:
            key = (os.environ if env is None else env).get(engine.api_key_env)
            if not key:
                raise ConfigurationError(
                    f"the environment variable {engine.api_key_env} is not set",
                    why="engine.api_key_env says that it holds the key of the server",
                    fix=f"set {engine.api_key_env}, or leave engine.api_key_env out",
                )
        return EngineOptions(
            binary=None if engine.llama_server is None else str(engine.llama_server),
            url=engine.url,
            api_key=key,
            load_timeout_s=engine.load_timeout_s,
            folder=folder,
        )
