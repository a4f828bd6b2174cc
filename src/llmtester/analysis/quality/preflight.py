"""What makes a comparison meaningless, seen in the answers themselves: other prompts, another tokenizer."""

from __future__ import annotations

from collections.abc import Mapping

from llmtester.domain.records import Sample

MISMATCH_RATIO = 0.1
"""A single text may fail for a reason of its own; from one in ten on it is the model."""


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
