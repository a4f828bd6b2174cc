"""What turns numbers into words. Not part of a run: a changed threshold changes the report of an old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from llmtester.analysis.quality.bands import QualityBands
from llmtester.analysis.ratings import Bands

Headlines: TypeAlias = Mapping[str, Sequence[str]]
"""Profile name -> names of the metrics that decide its rating."""


@dataclass(frozen=True, slots=True)
class Lens:
    """Which metrics decide for each profile, and the limits of the words."""

    headlines: Headlines
    bands: Bands
    quality: QualityBands = field(default_factory=QualityBands)
