"""Every setting once: name with unit, default, bounds and what it is for. ``docs/settings.md`` is generated from here.

Defaults that belong to the domain or to a profile are read from there, so that each stands in one place only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from llmtester.analysis.metrics import METRICS
from llmtester.analysis.quality.bands import QualityBands
from llmtester.domain.errors import ConfigurationError
from llmtester.domain.ports import EngineOptions
from llmtester.domain.work import CacheType, ServerSettings
from llmtester.models.places import known_folders
from llmtester.profiles.interactive import InteractiveOptions
from llmtester.profiles.quality.profile import QualityOptions

_SERVER = ServerSettings()
_OPTIONS = EngineOptions()
_INTERACTIVE = InteractiveOptions()
_QUALITY = QualityOptions()
_QUALITY_BANDS = QualityBands()

LONGEST_CONTEXT_TOK = 4_194_304
"""Above every context that a published model was trained for; a larger figure is a slip of the keyboard."""


def default_model_folders() -> tuple[Path, ...]:
    """Where models are looked for: our own folder first (``models pull`` writes there), ``models`` here, then the
    folders of other programs that exist on this machine."""
    return (user_data_path("llmtester") / "models", Path("models"), *known_folders())


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an address such as http://127.0.0.1:8080")
    if parts.username or parts.password or parts.query:
        raise ValueError("an address must not carry a key; name the variable that holds it in engine.api_key_env")
    return url.rstrip("/")


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


# Strict: `slots: true` and `slots: "2"` are slips, not numbers.
WholeNumber = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
Url = Annotated[str, AfterValidator(_without_credentials)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Limits: TypeAlias = tuple[Number, Number, Number]
QualityLimits: TypeAlias = tuple[Number, Number, Number, Number]


class Section(BaseModel):
    """A group of settings: unknown names are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        description="A file of models that `models pull` knows by name, as in `examples/models.example.yaml`.",
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

    context_tok: WholeNumber = Field(
        default=_SERVER.context_tok,
        ge=64,
        le=LONGEST_CONTEXT_TOK,
        description="Context of each slot; prompt and answer must fit into it together.",
    )
    slots: WholeNumber = Field(
        default=_SERVER.slots,
        ge=1,
        le=1024,
        description="Requests that are served at the same time.",
    )
    threads: WholeNumber | None = Field(
        default=_SERVER.threads,
        ge=1,
        le=4096,
        description="Threads of the server. Null: the engine chooses.",
    )
    gpu_layers: WholeNumber | None = Field(
        default=_SERVER.gpu_layers,
        ge=0,
        le=100_000,
        description="Layers that go to the GPU. Null: the engine chooses.",
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
    batch_tok: WholeNumber = Field(
        default=_SERVER.batch_tok,
        ge=1,
        le=1_048_576,
        description="Most prompt tokens that are handed to the model at once.",
    )
    micro_batch_tok: WholeNumber = Field(
        default=_SERVER.micro_batch_tok,
        ge=1,
        le=1_048_576,
        description="Most prompt tokens that are computed at once.",
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


class ShortLoad(Section):
    """A short question."""

    prompt_tok: WholeNumber = Field(
        default=_INTERACTIVE.short_prompt_tok,
        ge=48,
        le=LONGEST_CONTEXT_TOK,
        description="Length of the prompt, template included.",
    )
    output_tok: WholeNumber = Field(
        default=_INTERACTIVE.short_output_tok,
        ge=8,
        le=LONGEST_CONTEXT_TOK,
        description="Length of the answer.",
    )


class MediumLoad(Section):
    """A question with a page of text."""

    prompt_tok: WholeNumber = Field(
        default=_INTERACTIVE.medium_prompt_tok,
        ge=48,
        le=LONGEST_CONTEXT_TOK,
        description="Length of the prompt, template included.",
    )
    output_tok: WholeNumber = Field(
        default=_INTERACTIVE.medium_output_tok,
        ge=8,
        le=LONGEST_CONTEXT_TOK,
        description="Length of the answer.",
    )


class InteractiveSettings(Section):
    """One person in a chat."""

    short: ShortLoad = Field(default_factory=ShortLoad)
    medium: MediumLoad = Field(default_factory=MediumLoad)
    warmup_trials: WholeNumber = Field(
        default=_INTERACTIVE.warmup_trials,
        ge=0,
        le=100,
        description="Trials before the first one that counts.",
    )
    min_trials: WholeNumber = Field(
        default=_INTERACTIVE.min_trials,
        ge=1,
        le=1000,
        description="Fewest trials of each load.",
    )
    max_trials: WholeNumber = Field(
        default=_INTERACTIVE.max_trials,
        ge=1,
        le=1000,
        description="Most trials of each load.",
    )
    precision_ratio: Number = Field(
        default=_INTERACTIVE.precision_ratio,
        gt=0,
        le=1,
        description="Trials end when half the 95 % interval is at most this share of the value.",
    )

    @model_validator(mode="after")
    def _trials_nest(self) -> InteractiveSettings:
        if self.min_trials > self.max_trials:
            raise ValueError("min_trials must not exceed max_trials")
        return self

    def as_options(self) -> InteractiveOptions:
        """The same values as the profile's type."""
        return InteractiveOptions(
            short_prompt_tok=self.short.prompt_tok,
            short_output_tok=self.short.output_tok,
            medium_prompt_tok=self.medium.prompt_tok,
            medium_output_tok=self.medium.output_tok,
            warmup_trials=self.warmup_trials,
            min_trials=self.min_trials,
            max_trials=self.max_trials,
            precision_ratio=self.precision_ratio,
        )


class QualitySettings(Section):
    """What a quantization costs. Limits are, in this order, those of excellent, good, acceptable and poor."""

    questions: UserPath | None = Field(
        default=_QUALITY.questions,
        description="A file of questions that replaces the standard set, or extends it. Null: the standard set.",
    )
    text_tok: WholeNumber = Field(
        default=_QUALITY.text_tok,
        ge=8,
        le=1024,
        description="Tokens of each text along which a quantization is compared with its reference.",
    )
    open_tok: WholeNumber = Field(
        default=_QUALITY.open_tok,
        ge=64,
        le=8192,
        description="Longest free answer, in which loops are looked for.",
    )
    kl_limits_nats: QualityLimits = Field(
        default=_QUALITY_BANDS.kl_nats,
        description="Largest mean divergence from the reference. Provisional, see docs/quality.md.",
    )
    agreement_limits_ratio: QualityLimits = Field(
        default=_QUALITY_BANDS.agreement_ratio,
        description="Smallest share of places with the same next word. Provisional.",
    )
    loss_limits_ratio: Limits = Field(
        default=_QUALITY_BANDS.loss_upper_ratio,
        description="Largest loss of right answers that the questions must be able to rule out; without poor.",
    )
    poor_loss_ratio: Number = Field(
        default=_QUALITY_BANDS.poor_loss_ratio,
        gt=0,
        le=1,
        description="A proven loss of this share of the right answers is poor.",
    )
    failed_loss_ratio: Number = Field(
        default=_QUALITY_BANDS.failed_loss_ratio,
        gt=0,
        le=1,
        description="A proven loss above this share has failed.",
    )
    failed_perplexity_ratio: Number = Field(
        default=_QUALITY_BANDS.failed_perplexity_ratio,
        gt=1,
        le=1000,
        description="The reference's words may surprise a file this many times as much as the reference.",
    )

    @model_validator(mode="after")
    def _limits_follow(self) -> QualitySettings:
        for name, rising in (("kl_limits_nats", True), ("agreement_limits_ratio", False), ("loss_limits_ratio", True)):
            limits = getattr(self, name)
            if limits != tuple(sorted(set(limits), reverse=not rising)):
                raise ValueError(f"{name} must {'rise' if rising else 'fall'} from excellent on")
        if self.poor_loss_ratio > self.failed_loss_ratio:
            raise ValueError("poor_loss_ratio must not exceed failed_loss_ratio")
        return self

    def as_options(self) -> QualityOptions:
        """What the profile asks."""
        return QualityOptions(questions=self.questions, text_tok=self.text_tok, open_tok=self.open_tok)

    def as_bands(self) -> QualityBands:
        """What the answers mean."""
        return QualityBands(
            kl_nats=self.kl_limits_nats,
            agreement_ratio=self.agreement_limits_ratio,
            loss_upper_ratio=self.loss_limits_ratio,
            poor_loss_ratio=self.poor_loss_ratio,
            failed_loss_ratio=self.failed_loss_ratio,
            failed_perplexity_ratio=self.failed_perplexity_ratio,
        )


class ProfilesSettings(Section):
    """What the models are tested for."""

    enabled: tuple[str, ...] = Field(
        default=("interactive",),
        min_length=1,
        description="Profiles that take part, in order.",
    )
    interactive: InteractiveSettings = Field(default_factory=InteractiveSettings)
    quality: QualitySettings = Field(default_factory=QualitySettings)

    def options_for(self, profile: str) -> InteractiveOptions | QualityOptions | None:
        """The first constructor argument of the profile of that name; ``None`` where it has no settings here."""
        sections: Mapping[str, InteractiveSettings | QualitySettings] = {
            "interactive": self.interactive,
            "quality": self.quality,
        }
        return sections[profile].as_options() if profile in sections else None


class RunSettings(Section):
    """One run."""

    seed: WholeNumber = Field(
        default=1,
        ge=0,
        le=2**63 - 1,
        description="Equal seeds ask every model the same prompts.",
    )
    output_dir: UserPath = Field(
        default=Path("llmtester-runs"),
        description="Folder in which each run gets a folder of its own.",
    )
    quick: bool = Field(
        default=False,
        description="Fewer trials: a first impression in minutes, with wider intervals.",
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
