"""The settings of the profiles: one section each, and ``ProfilesSettings``, the table in which each is a row."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeAlias

from pydantic import Field, model_validator

from llmtester.analysis.quality.bands import QualityBands
from llmtester.profiles.batch import BatchOptions
from llmtester.profiles.custom import CustomOptions
from llmtester.profiles.interactive import InteractiveOptions
from llmtester.profiles.long_context import LEAST_ROOM_TOK, SIZES_TOK, LongContextOptions
from llmtester.profiles.quality.profile import QualityOptions
from llmtester.profiles.stress import StressOptions
from llmtester.settings.section import LONGEST_CONTEXT_TOK, Limits, Number, Section, UserPath, WholeNumber, bounded

_INTERACTIVE = InteractiveOptions()
_LONG_CONTEXT = LongContextOptions()
_BATCH = BatchOptions()
_CUSTOM = CustomOptions()
_QUALITY = QualityOptions()
_STRESS = StressOptions()
_QUALITY_BANDS = QualityBands()

QualityLimits: TypeAlias = tuple[Number, Number, Number, Number]


class ProfileSection(Section):
    """The settings of one profile."""

    @abstractmethod
    def as_options(self) -> Any:
        """The same values as the profile's own type: the first argument of its constructor."""


class ShortLoad(Section):
    """A short question."""

    prompt_tok: WholeNumber = bounded(
        _INTERACTIVE.short_prompt_tok, 48, LONGEST_CONTEXT_TOK, "Length of the prompt, template included."
    )
    output_tok: WholeNumber = bounded(_INTERACTIVE.short_output_tok, 8, LONGEST_CONTEXT_TOK, "Length of the answer.")


class MediumLoad(Section):
    """A question with a page of text."""

    prompt_tok: WholeNumber = bounded(
        _INTERACTIVE.medium_prompt_tok, 48, LONGEST_CONTEXT_TOK, "Length of the prompt, template included."
    )
    output_tok: WholeNumber = bounded(_INTERACTIVE.medium_output_tok, 8, LONGEST_CONTEXT_TOK, "Length of the answer.")


class FollowUpLoad(Section):
    """A second question in the same conversation."""

    prompt_tok: WholeNumber = bounded(
        _INTERACTIVE.follow_up_prompt_tok,
        160,
        LONGEST_CONTEXT_TOK,
        "Length of the conversation up to the second answer, about.",
    )
    output_tok: WholeNumber = bounded(
        _INTERACTIVE.follow_up_output_tok, 8, LONGEST_CONTEXT_TOK, "Length of the second answer."
    )


class InteractiveSettings(ProfileSection):
    """One person in a chat."""

    short: ShortLoad = Field(default_factory=ShortLoad)
    medium: MediumLoad = Field(default_factory=MediumLoad)
    follow_up: FollowUpLoad = Field(default_factory=FollowUpLoad)
    warmup_trials: WholeNumber = bounded(_INTERACTIVE.warmup_trials, 0, 100, "Trials before the first one that counts.")
    min_trials: WholeNumber = bounded(_INTERACTIVE.min_trials, 1, 1000, "Fewest trials of each load.")
    max_trials: WholeNumber = bounded(_INTERACTIVE.max_trials, 1, 1000, "Most trials of each load.")
    precision_ratio: Number = Field(
        default=_INTERACTIVE.precision_ratio,
        gt=0,
        le=1,
        description="Trials end when half the 95 % interval is at most this share of the value or the word is certain.",
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
            follow_up_prompt_tok=self.follow_up.prompt_tok,
            follow_up_output_tok=self.follow_up.output_tok,
            warmup_trials=self.warmup_trials,
            min_trials=self.min_trials,
            max_trials=self.max_trials,
            precision_ratio=self.precision_ratio,
        )


class LongContextSettings(ProfileSection):
    """One long text at a time."""

    sizes_tok: tuple[WholeNumber, ...] = Field(
        default=_LONG_CONTEXT.sizes_tok,
        min_length=1,
        description="Sizes that are tried, prompt and answer together, up to what model and memory allow.",
    )
    output_tok: WholeNumber = bounded(
        _LONG_CONTEXT.output_tok, LEAST_ROOM_TOK, 4096, "Length of the answer whose speed is measured."
    )
    trials: WholeNumber = bounded(_LONG_CONTEXT.trials, 1, 100, "Texts of each size; each brings eight questions.")

    @model_validator(mode="after")
    def _sizes_rise(self) -> LongContextSettings:
        if list(self.sizes_tok) != sorted(set(self.sizes_tok)):
            raise ValueError("sizes_tok must rise")
        if not SIZES_TOK[0] <= self.sizes_tok[0] or self.sizes_tok[-1] > LONGEST_CONTEXT_TOK:
            raise ValueError(f"sizes_tok must lie between {SIZES_TOK[0]} and {LONGEST_CONTEXT_TOK}")
        if self.output_tok > self.sizes_tok[0] // 4:
            raise ValueError("output_tok must not exceed a quarter of the smallest size")
        return self

    def as_options(self) -> LongContextOptions:
        """The same values as the profile's type."""
        return LongContextOptions(sizes_tok=self.sizes_tok, output_tok=self.output_tok, trials=self.trials)


class PromptEntry(Section):
    """A prompt of the user's own, as a line of a JSON Lines file would have it."""

    prompt: str
    id: str | None = None
    system: str | None = None
    max_tok: WholeNumber | None = None
    exact: str | None = None
    contains: str | None = None
    regex: str | None = None
    number: Number | None = None
    json_schema: dict[str, Any] | None = None


class CustomSettings(ProfileSection):
    """Prompts of your own, with what you expect of the answers. See docs/profiles.md."""

    file: UserPath | None = Field(
        default=_CUSTOM.file,
        description="A file of prompts: JSON Lines (`.jsonl`), CSV or one prompt a line (`.txt`).",
    )
    prompts: tuple[PromptEntry, ...] = Field(
        default=(),
        description="Prompts written here: each has `prompt` and may have `exact`, `contains`, `regex`, `number` or "
        "`json_schema`.",
    )
    max_tok: WholeNumber = bounded(_CUSTOM.max_tok, 1, 32_768, "Longest answer of a prompt that names none.")

    def as_options(self) -> CustomOptions:
        """The same values as the profile's type."""
        entries = tuple(entry.model_dump(exclude_none=True) for entry in self.prompts)
        return CustomOptions(file=self.file, prompts=entries, max_tok=self.max_tok)


class QualitySettings(ProfileSection):
    """What a quantization costs. Limits are, in this order, those of excellent, good, acceptable and poor."""

    questions: UserPath | None = Field(
        default=_QUALITY.questions,
        description="A file of questions that replaces the standard set, or extends it. Null: the standard set.",
    )
    text_tok: WholeNumber = bounded(
        _QUALITY.text_tok, 8, 1024, "Tokens of each text along which a quantization is compared with its reference."
    )
    open_tok: WholeNumber = bounded(_QUALITY.open_tok, 64, 8192, "Longest free answer, in which loops are looked for.")
    kl_limits_nats: QualityLimits = Field(
        default=_QUALITY_BANDS.kl_nats,
        description="Largest mean divergence from the reference. Provisional, see `llmtester docs quality`.",
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


class BatchSettings(ProfileSection):
    """A pile of documents."""

    documents_count: WholeNumber = bounded(
        _BATCH.documents_count,
        1,
        10_000,
        "Documents for each number of them in flight; at least two trials of six or ten are worked on.",
    )
    concurrencies: tuple[WholeNumber, ...] = Field(
        default=_BATCH.concurrencies,
        min_length=1,
        description="How many documents are in flight at the same time; one load for each number.",
    )
    output_tok: WholeNumber = bounded(_BATCH.output_tok, 32, LONGEST_CONTEXT_TOK, "Longest answer.")

    @model_validator(mode="after")
    def _numbers_differ(self) -> BatchSettings:
        numbers = self.concurrencies
        if len(set(numbers)) != len(numbers) or not all(1 <= number <= 256 for number in numbers):
            raise ValueError("concurrencies must be different whole numbers from 1 to 256")
        return self

    def as_options(self) -> BatchOptions:
        """The same values as the profile's type."""
        return BatchOptions(**self.model_dump())


class StressSettings(ProfileSection):
    """Work without a pause, on one configuration that is chosen from the other results."""

    duration_s: Number = bounded(
        _STRESS.duration_s, 10, 604_800, "How long it works. Heat shows after ten minutes, a leak after half an hour."
    )
    concurrency: WholeNumber = bounded(_STRESS.concurrency, 1, 256, "Requests in flight at the same time.")
    prompt_tok: WholeNumber = bounded(
        _STRESS.prompt_tok, 48, LONGEST_CONTEXT_TOK, "Length of each prompt, template included."
    )
    output_tok: WholeNumber = bounded(_STRESS.output_tok, 32, LONGEST_CONTEXT_TOK, "Length of each answer.")

    def as_options(self) -> StressOptions:
        """The same values as the profile's type."""
        return StressOptions(**self.model_dump())


class ProfilesSettings(Section):
    """What the models are tested for."""

    enabled: tuple[str, ...] = Field(
        default=("interactive",),
        min_length=1,
        description="Profiles that take part, in order.",
    )
    # One row for each profile that has settings, under the profile's own name.
    interactive: InteractiveSettings = Field(default_factory=InteractiveSettings)
    long_context: LongContextSettings = Field(default_factory=LongContextSettings)
    batch: BatchSettings = Field(default_factory=BatchSettings)
    custom: CustomSettings = Field(default_factory=CustomSettings)
    quality: QualitySettings = Field(default_factory=QualitySettings)
    stress: StressSettings = Field(default_factory=StressSettings)

    def options_for(self, profile: str) -> Any:
        """The first constructor argument of the profile of that name; ``None`` where it has no settings here."""
        section = getattr(self, profile, None)
        return section.as_options() if isinstance(section, ProfileSection) else None
