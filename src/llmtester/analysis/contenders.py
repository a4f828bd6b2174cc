"""What is compared: one model file run one way, with all that this run knows about it, over all of its servers.

A profile that needs more context or more slots gets a server of its own; for the person it is the same choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot

from llmtester.analysis import ratings
from llmtester.analysis.advice_rules import (
    DOUBTFUL_BITS,
    EXCELLENT_BITS,
    FORGIVING_PARAMETERS_COUNT,
    GOOD_BITS,
    TIE_RATIO,
)
from llmtester.analysis.quality.statistics import wilson
from llmtester.analysis.ratings import ORDER
from llmtester.analysis.summary import CellSummary, Estimate, Measured, QualitySummary, Rating, TargetSummary, Tasks
from llmtester.domain.records import Absent
from llmtester.domain.work import ModelRef, ServerSettings


@dataclass(frozen=True, slots=True)
class Contender:
    """One file, one engine, one way of running it. ``targets`` are its servers in plan order, never empty.

    ``sibling_bytes`` is the size of the largest file of the same model, for models that do not say their parameters;
    ``reference_bits`` are the bits a weight of the file that its answers were compared with, itself perhaps; one that
    is not in the run is taken for whole.
    """

    targets: tuple[TargetSummary, ...]
    cells: tuple[CellSummary, ...]
    quality: QualitySummary | None
    sibling_bytes: int
    reference_bits: float = 0.0

    @property
    def key(self) -> str:
        return self.targets[0].key

    @property
    def model(self) -> ModelRef:
        return self.targets[0].model

    @property
    def label(self) -> str:
        return self.model.label

    def cells_of(self, profile: str) -> tuple[CellSummary, ...]:
        return tuple(cell for cell in self.cells if cell.profile == profile)

    def target_of(self, profile: str) -> TargetSummary:
        """The server that measured ``profile``, else the first."""
        keys = {cell.target for cell in self.cells_of(profile)}
        return next((target for target in self.targets if target.key in keys), self.targets[0])

    def rating(self, profile: str) -> Rating:
        """The worst word over the loads of ``profile``."""
        return ratings.worst([cell.rating for cell in self.cells_of(profile)])

    def lowest(self, profile: str, metric: str) -> Estimate | None:
        """The smallest value of ``metric`` over the loads of ``profile``."""
        found = [value for cell in self.cells_of(profile) if isinstance(value := cell.metrics.get(metric), Estimate)]
        return min(found, key=lambda value: value.value, default=None)

    def highest(self, profile: str, metric: str) -> Estimate | None:
        """The largest value of ``metric`` over the loads of ``profile``."""
        found = [value for cell in self.cells_of(profile) if isinstance(value := cell.metrics.get(metric), Estimate)]
        return max(found, key=lambda value: value.value, default=None)

    def memory(self, profile: str) -> Measured:
        return self.target_of(profile).memory_peak_bytes

    @property
    def parameters(self) -> float:
        """Parameters; where the file does not say, a size that is the same for all files of the model."""
        return float(self.model.parameters_count or self.sibling_bytes)

    @property
    def bits(self) -> float:
        """Bits a weight, 0 where neither the file nor its size tells."""
        return bits_of(self.model)

    @property
    def judged(self) -> bool:
        """Whether its answers were compared, or others were compared with them."""
        return self.quality is not None

    @property
    def damage(self) -> int:
        """0 for answers that lost nothing, then one more for each word of quality.

        Measured against the largest file at hand, which is itself expected to be as damaged as its bits say.
        """
        return max(_expected(self.reference_bits if self.judged else self.bits), self._measured_damage)

    @property
    def _measured_damage(self) -> int:
        return 0 if self.quality is None or self.quality.reference is None else ORDER.index(self.quality.rating)

    @property
    def capability(self) -> tuple[float, float, float]:
        """More parameters, then less damage; bits decide only where nobody measured it."""
        return (self.parameters, -float(self.damage), float("inf") if self.judged else round(self.bits, 1))

    @property
    def damaged(self) -> bool:
        """Whether its answers were measured and are poor or failed."""
        return self._measured_damage >= ORDER.index(Rating.POOR)

    @property
    def doubtful(self) -> bool:
        """Whether nothing measured says so, but it has so few bits that its answers are probably damaged."""
        few = self.damage >= ORDER.index(Rating.POOR)
        return few and not self.damaged and self.parameters < FORGIVING_PARAMETERS_COUNT

    def right(self, kinds: Sequence[str] = ()) -> tuple[int, int] | None:
        """Right answers and questions asked in ``kinds`` (all if empty or none of them was asked)."""
        if self.quality is None or not isinstance(self.quality.tasks, Tasks):
            return None
        every = self.quality.tasks.categories
        chosen = [one for one in every if one.name in kinds] or list(every)
        asked = sum(one.asked_count for one in chosen)
        return (sum(one.correct_count for one in chosen), asked) if asked else None

    @property
    def right_ratio(self) -> Measured:
        """Share of all questions answered right, with Wilson's interval."""
        told = self.right()
        if told is None:
            return Absent("its answers were not checked")
        return Estimate(told[0] / told[1], *wilson(*told), told[1])


def contenders(
    targets: Sequence[TargetSummary], cells: Sequence[CellSummary], quality: Sequence[QualitySummary]
) -> list[Contender]:
    """Every model file of the run, in plan order."""
    judged = {one.target: one for one in quality if one.reference is None or one.rating is not Rating.NOT_RATED}
    models = {target.key: target.model for target in targets}
    groups: dict[object, list[TargetSummary]] = {}
    for target in targets:
        groups.setdefault(identity(target), []).append(target)
    found = []
    for group in groups.values():
        keys = {target.key for target in group}
        said = next((judged[target.key] for target in group if target.key in judged), None)
        reference = models.get(said.reference or said.target) if said else None
        found.append(
            Contender(
                tuple(group),
                tuple(cell for cell in cells if cell.target in keys),
                said,
                max(one.model.size_bytes for one in targets if one.model.name == group[0].model.name),
                bits_of(reference) if reference else EXCELLENT_BITS,
            )
        )
    return found


def bits_of(model: ModelRef) -> float:
    """Bits a weight, 0 where neither the file nor its size tells."""
    if model.bits_per_weight is not None:
        return model.bits_per_weight
    return 8.0 * model.size_bytes / model.parameters_count if model.parameters_count else 0.0


def _expected(bits: float) -> int:
    """The place of the word that such a file usually gets, as in ``ORDER``; "good" where the bits are not known."""
    limits = (EXCELLENT_BITS, GOOD_BITS, DOUBTFUL_BITS)
    return next((rank for rank, limit in enumerate(limits) if bits >= limit), 3) if bits else 1


def identity(target: TargetSummary) -> object:
    """Equal for servers that differ only in how much context they hold and for how many users."""
    usual = ServerSettings()
    settings = replace(target.settings, context_tok=usual.context_tok, slots=usual.slots)
    return (target.engine, target.model.fingerprint, target.model.path, settings)


def tied(one: Estimate, other: Estimate) -> bool:
    """Whether two values are closer than anyone feels, or their intervals overlap."""
    if one.value == other.value or abs(one.value / (other.value or 1e-12) - 1) <= TIE_RATIO:
        return True
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def clearly_worse(right: tuple[int, int], best: tuple[int, int]) -> bool:
    """Whether ``right`` of ``asked`` is a smaller share than that of ``best`` beyond chance.

    The interval of the difference of two independent shares must lie above zero (Newcombe, 1998, method 10 for
    unpaired shares, 95 %). The questions are the same ones, so this errs on the side of a tie.
    """
    share, best_share = right[0] / right[1], best[0] / best[1]
    low, high = wilson(*best)[0], wilson(*right)[1]
    return best_share - share > hypot(best_share - low, high - share)
