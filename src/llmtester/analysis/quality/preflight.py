"""What makes a comparison meaningless or weak: servers started differently, other prompts, another tokenizer, a machine
that does not repeat itself, answers that do not end."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from llmtester.analysis.summary import Estimate, Measured
from llmtester.domain.records import Sample
from llmtester.domain.work import ServerSettings

MISMATCH_RATIO = 0.1
"""A single text may fail for a reason of its own; from one in ten on it is the model."""

ENDLESS_RATIO = 0.2
"""Our questions ask for short answers and leave room for them: a file that ends its answers is rarely cut off."""


def flags_apart(reference: ServerSettings, candidate: ServerSettings) -> str | None:
    """In words which flag of the two servers alone would make them answer differently; ``None`` if none does.

    A cache of 4 bits costs about as much as a file of 4 bits (docs/quality.md), so a difference between such servers
    has two causes and says nothing of either.
    """
    caches = ("cache_type_k", "the cache of keys"), ("cache_type_v", "the cache of values")
    for name, called in caches:
        there, here = getattr(reference, name), getattr(candidate, name)
        if there != here:
            return f"{called} is {here} here and {there} there, so a difference would not be the quantization's alone"
    attention = {reference.flash_attention, candidate.flash_attention}
    return "flash attention is on at one of the two only" if attention == {"on", "off"} else None


def problems(reference: Mapping[str, Sample], candidate: Mapping[str, Sample]) -> tuple[str, ...]:
    """Reasons in words, most telling first; empty if the two can be compared.

    Prompts of other lengths come from another chat template or tokenizer. The same forced tokens that spell other text
    come from another vocabulary.
    """
    both = [(reference[name], one) for name, one in candidate.items() if name in reference and reference[name].ok]
    answered = [(told, one) for told, one in both if one.ok]
    found = []
    if both and not answered:
        found.append(f"it could not follow the words of the reference: {both[0][1].failure_detail}")
    other_prompt = [(told, one) for told, one in answered if told.prompt_tok != one.prompt_tok]
    if len(other_prompt) > MISMATCH_RATIO * len(answered):
        told, one = other_prompt[0]
        found.append(
            f"its chat template or tokenizer is another one: the same question is {told.prompt_tok} tokens for the "
            f"reference and {one.prompt_tok} for it"
        )
    other_text = [one for told, one in answered if not told.text.startswith(one.text)]
    if len(other_text) > MISMATCH_RATIO * len(answered):
        found.append("its vocabulary is another one: the same token ids spell other words")
    return tuple(found)


def unsteady(floor_kl_nats: Measured, limit_nats: float) -> str | None:
    """In words that the reference differs from itself by ``limit_nats`` or more, so that nothing finer can be told."""
    if not isinstance(floor_kl_nats, Estimate) or floor_kl_nats.value < limit_nats:
        return None
    return (
        f"this machine does not repeat itself: asked the same twice, the reference differs from itself by "
        f"{floor_kl_nats.value:.3g} nats a token, as much as a visible quantization"
    )


def endings(asked: Collection[Sample]) -> tuple[str, ...]:
    """What keeps answers to questions from being judged, in words: thinking that was to be left out, a missing end."""
    answered = [sample for sample in asked if sample.ok]
    found = []
    thinking = sum("<think" in sample.text.lower() for sample in answered)
    if thinking:
        found.append(
            f"It thinks before it answers although it was told not to ({thinking} of {len(answered)} answers), so it "
            "needs more room than others."
        )
    cut = sum(sample.finish == "length" for sample in answered)
    if cut > ENDLESS_RATIO * len(answered):
        found.append(
            f"{cut} of {len(answered)} answers ran out of room and count as wrong: it talks too much, or its file has "
            "a wrong end token."
        )
    return tuple(found)
