"""From evidence to words: whole runs on fake models whose true damage is known."""

from __future__ import annotations

import asyncio
import random
from functools import cache

import pytest
from benchmarks.quality_simulation import accused, answered

from llmtester.analysis.advice_rules import KINDS
from llmtester.analysis.costs import Hardware
from llmtester.analysis.lens import Lens
from llmtester.analysis.quality import bands, stability, tasks
from llmtester.analysis.quality.sentences import NAMED_COUNT
from llmtester.analysis.quality.statistics import holm
from llmtester.analysis.ratings import BANDS
from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Estimate, Fidelity, QualitySummary, Rating, Stability, Summary, Tasks
from llmtester.domain.records import Absent, Grade
from llmtester.domain.work import Plan, ServerSettings
from llmtester.engines import fake_quality
from llmtester.engines.fake_script import Script
from llmtester.profiles.interactive import InteractiveProfile
from llmtester.profiles.quality.profile import QualityOptions, QualityProfile
from llmtester.profiles.quality.question_set import SHORT, WRITTEN
from llmtester.runner import planner
from tests.worlds import World, sample

LENS = Lens({"interactive": InteractiveProfile.headline, "quality": ()}, BANDS)
REFERENCE = "m?size_mb=400&decode_tok_per_s=40&realtime=0:F16"


def planned(world: World, *scripts: str, quick: bool = False, options: QualityOptions | None = None) -> Plan:
    world.profiles = {"interactive": InteractiveProfile(), "quality": QualityProfile(options, quick=quick)}
    refs = world.engine.catalogue(scripts)
    wanted = planner.Wanted("fake", refs, world.profiles, ServerSettings(), 1, Hardware(2, 16 * 10**9))
    return planner.plan(wanted, lambda one, settings: None)


@cache
def ran(*scripts: str, quick: bool = False, items: int | None = None) -> Summary:
    world = World()
    state, _ = world.run(planned(world, *scripts, quick=quick, options=QualityOptions(items_count=items)))
    return summarise(state, LENS)


def only(said: Summary) -> QualitySummary:
    (found,) = [one for one in said.quality if one.reference]
    return found


def test_the_same_file_again_is_excellent_and_within_noise() -> None:
    """No divergence, every word agrees, no answer differs."""
    found = only(ran(REFERENCE, "m?size_mb=200&realtime=0:Q8_0"))
    assert isinstance(found.fidelity, Fidelity)
    assert found.fidelity.kl_nats.value < 1e-4
    assert found.fidelity.agreement_ratio.value >= 0.999
    assert found.rating is Rating.EXCELLENT
    assert found.warnings == ()
    assert "EXCELLENT" in found.sentence
    assert "100 of 100 places" in found.sentence


@pytest.mark.untraced
def test_damage_is_ordered_and_rated() -> None:
    """More noise on the logits is more divergence, and the word gets worse."""
    said = ran(
        REFERENCE,
        *(
            f"m?size_mb={size}&damage={d}&realtime=0:{q}"
            for size, d, q in ((200, 0.05, "Q8_0"), (150, 0.2, "Q5_K_M"), (100, 0.5, "Q4_K_M"), (50, 1.5, "Q2_K"))
        ),
        items=16,
    )
    found = [one for one in said.quality if one.reference]
    values = [one.fidelity.kl_nats.value for one in found if isinstance(one.fidelity, Fidelity)]
    assert values == sorted(values)
    assert found[0].rating is Rating.EXCELLENT or found[0].evidence["fidelity"] is Rating.EXCELLENT
    assert found[-1].rating is Rating.FAILED


def test_corrupted_answers_are_proven_named_and_shown() -> None:
    """One in four answers spoiled: the loss is significant and one differing answer is shown with both texts."""
    found = only(ran(REFERENCE, "m?size_mb=100&corrupt=0.25&realtime=0:Q4_K_M"))
    assert isinstance(found.tasks, Tasks)
    assert found.tasks.p_value_holm < 0.05
    assert found.tasks.better_count == 0
    assert found.evidence["tasks"] in {Rating.POOR, Rating.FAILED}
    assert found.example is not None
    assert found.example.text == fake_quality.WRONG
    assert "not chance" in found.sentence


def test_lost_kinds_are_named_in_words_and_not_all_of_them() -> None:
    """A file that loses nearly everything: the three worst kinds with their figures, the rest by name."""
    found = only(ran(REFERENCE, "m?size_mb=60&corrupt=0.9&realtime=0:Q2_K"))
    assert len(found.warnings) == NAMED_COUNT + 1
    assert found.warnings[0].startswith("It loses ")
    assert f"({found.reference_label}: " in found.warnings[0]
    assert found.warnings[-1].startswith("As clearly it loses ")
    assert {category.name for category in (*WRITTEN, *SHORT)} <= KINDS.keys()


def test_loops_fail_a_file() -> None:
    """A file that repeats itself in most long answers has failed, whatever its other evidence."""
    found = only(ran(REFERENCE, "m?size_mb=100&loops=0.9&realtime=0:Q3_K_M", items=16))
    assert isinstance(found.stability, Stability)
    assert found.stability.looping_count >= 3
    assert found.rating is Rating.FAILED
    assert "repeated itself" in found.sentence


def test_quick_mode_stops_early_when_the_loss_is_clear() -> None:
    """Gross damage needs fewer batches; none needs all of them and is called no loss shown."""
    gross = ran(REFERENCE, "m?size_mb=100&corrupt=0.8&realtime=0:Q2_K", quick=True)
    none = ran(REFERENCE, "m?size_mb=100&realtime=0:Q8_0", quick=True)

    def trials(said: Summary) -> int:
        (cell,) = [c for c in said.cells if c.load.name == "tasks" and c.target == only(said).target]
        return cell.trials_count

    assert trials(gross) < trials(none) == 9
    assert only(gross).rating is Rating.FAILED


@pytest.mark.untraced
def test_advice_never_names_a_damaged_file() -> None:
    """The fast small file would have been the answer; its answers are damaged, so the next one is named."""
    said = ran(
        "m?size_mb=400&decode_tok_per_s=3&realtime=0:F16",
        "m?size_mb=150&decode_tok_per_s=18&realtime=0:Q5_K_M",
        "m?size_mb=100&decode_tok_per_s=60&damage=2&realtime=0:Q2_K",
    )
    advice = said.advice[0]
    assert advice.winner is not None
    assert "Q5_K_M" in advice.winner
    assert any("damaged" in reason and "Q2_K" in reason for reason in advice.why)
    assert not any("was not measured" in reason for reason in advice.why)


def test_equal_quality_lets_speed_decide() -> None:
    """Of two files that answer alike the faster one wins, although the other keeps more bits."""
    said = ran(REFERENCE, "m?size_mb=200&decode_tok_per_s=90&realtime=0:Q8_0")
    advice = said.advice[0]
    assert advice.winner is not None
    assert "Q8_0" in advice.winner


def test_a_model_without_siblings_is_not_compared() -> None:
    """One file is its own reference: right answers are told, no verdict is given."""
    (found,) = ran(REFERENCE, items=16).quality
    assert (found.reference, found.rating, found.words) == (None, Rating.NOT_RATED, "not compared")
    assert "questions right" in found.sentence


@pytest.mark.untraced
def test_a_killed_run_keeps_its_texts() -> None:
    """After an interruption the candidate follows the texts that the journal holds, and the verdict is the same."""
    scripts = (REFERENCE, "m?size_mb=100&damage=0.3&realtime=0:Q4_K_M")
    world = World()
    state = world.start(planned(world, *scripts, options=QualityOptions(items_count=16)))
    runner = world.runner(state)

    def emit(event: object) -> None:
        world.events.append(event)  # type: ignore[arg-type]  # an event
        if getattr(event, "cell", "") and "Q4_K_M" in str(event.cell):  # type: ignore[attr-defined]  # asked above
            runner.stop("test")

    runner = world.runner(state, emit)
    asyncio.run(runner.run())
    again = world.resume()
    asyncio.run(world.runner(again).run())
    one, other = only(summarise(again, LENS)), only(ran(*scripts, items=16))
    assert (one.words, one.details) == (other.words, other.details)


RUNS_COUNT = 30
"""A sample of what ``benchmarks.quality_simulation`` does 200 times."""


@pytest.mark.untraced
def test_one_answer_in_ten_corrupted_is_found() -> None:
    """Caught in at least 80 % of simulated runs, beside answers that differ by chance."""
    caught = sum(accused(number, 0.75, 0.10, 0.01)[0] for number in range(RUNS_COUNT))
    assert caught >= 0.8 * RUNS_COUNT


@pytest.mark.untraced
@pytest.mark.parametrize("flips", [0.0, 0.05])
def test_answers_that_only_flip_are_not_called_a_loss(flips: float) -> None:
    """Nothing is corrupted, but answers turn around either way: hardly a run is accused of anything."""
    assert sum(any(accused(number, 0.6, 0.0, flips)) for number in range(RUNS_COUNT)) <= 0.07 * RUNS_COUNT


def test_categories_that_the_reference_guesses_are_left_out() -> None:
    """A reference that knows nothing shows nothing: the kinds are named as not informative."""
    told = answered(Script("m", "F16", skill=0.2))
    found = tasks.measure(told, told)
    assert isinstance(found, Tasks)
    guessed = [part for part in found.categories if part.name in {"look-up", "order", "language"}]
    assert len(guessed) == 3
    assert not any(part.informative for part in guessed)


@pytest.mark.untraced
def test_losses_are_corrected_for_the_number_of_candidates() -> None:
    """Two candidates share the five percent."""
    said = ran(REFERENCE, "m?size_mb=200&corrupt=0.04&realtime=0:Q8_0", "m?size_mb=100&corrupt=0.3&realtime=0:Q2_K")
    found = [one.tasks for one in said.quality if one.reference and isinstance(one.tasks, Tasks)]
    assert [one.p_value_holm for one in found] == list(holm([one.p_value for one in found]))


def shuffled(sentences: int, times: int) -> str:
    """Sentences of twenty words, each said so many times, never twice in the same order."""
    chance = random.Random(1)
    said = [" ".join(f"{chance.getrandbits(40):x}" for _ in range(20)) for _ in range(sentences)]
    return " ".join(" ".join(chance.sample(said, len(said))) for _ in range(times))


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        (" and so on" * 30, True),
        ("word " * 40, True),
        (" ".join(f"w{number}" for number in range(300)), False),
        (shuffled(sentences=6, times=3), True),
        (shuffled(sentences=18, times=1), False),
        ("The tide came in. " * 2 + "Then the boats left, one by one, and nobody spoke until evening.", False),
        ("", False),
    ],
)
def test_loops_are_seen_and_prose_is_not_one(text: str, looping: bool) -> None:
    """Repetition at the end, of single words and of phrases, and the same sentences in any order; a refrain is none."""
    assert stability.loops(text) is looping


def test_garbage_and_other_scripts() -> None:
    """Replacement characters and a sudden change of script are noticed."""
    assert stability.garbage("ab\ufffd\ufffdcd")
    assert not stability.garbage("plain text\nwith lines")
    assert stability.foreign_ratio("hello \u4f60\u597d\u4e16\u754c") > 0.4
    assert stability.foreign_ratio("Grüße, señor") == 0


@pytest.mark.parametrize(
    ("loss", "upper", "p_value", "right", "word"),
    [
        (0.20, 0.25, 0.01, 80, Rating.FAILED),
        (0.10, 0.15, 0.01, 40, Rating.FAILED),
        (0.10, 0.15, 0.01, 90, Rating.POOR),
        (0.05, 0.11, 0.01, 95, Rating.POOR),
        (0.04, 0.12, 0.01, 96, Rating.POOR),
        (0.04, 0.11, 0.01, 96, Rating.ACCEPTABLE),
        (0.04, 0.11, 0.20, 96, Rating.ACCEPTABLE),
        (0.02, 0.07, 0.20, 98, Rating.GOOD),
        (0.00, 0.04, 0.60, 100, Rating.EXCELLENT),
        (0.04, 0.12, 0.20, 96, "200 questions cannot rule out a loss of 12%"),
    ],
)
def test_a_loss_is_rated_by_what_is_proven_or_could_be_hidden(
    loss: float, upper: float, p_value: float, right: int, word: Rating | str
) -> None:
    """A proven loss by its size; an unproven one by the largest that these questions could have missed."""
    nothing = Estimate(0.0, None, None, 200)
    found = Tasks(
        *(200, right, 100, 0, 0, nothing, nothing, Estimate(loss, None, None, 200), upper, p_value, p_value),
        *(Absent("not needed"), (), {}, 0),
    )
    judged = bands.judge_tasks(found, bands.QualityBands())
    assert judged == (bands.Judged(word, word, word) if isinstance(word, Rating) else word)


def test_guesses_prove_nothing() -> None:
    """Where neither file answers anything, no kind of question can show a loss."""
    wrong = {f"arithmetic.{n}": sample(request_id=str(n), grade=Grade(0.0, "wrong")) for n in range(24)}
    said = "the reference is not clearly better than guessing in any kind of question"
    assert tasks.measure(wrong, wrong) == Absent(said)
    assert tasks.measure({}, wrong) == Absent("no question was answered by both models")


@pytest.mark.parametrize(
    ("kl", "agreement", "perplexity", "words"),
    [
        ((0.005, 0.004, 0.006), (0.97, 0.965, 0.98), 1.0, "excellent"),
        ((0.005, 0.004, 0.02), (0.97, 0.965, 0.98), 1.0, "excellent to good"),
        ((0.005, 0.004, 0.006), (0.90, 0.88, 0.92), 1.0, "good to acceptable"),
        ((0.30, 0.29, 0.31), (0.97, 0.965, 0.98), 1.5, "poor"),
        ((0.005, 0.004, 0.006), (0.97, 0.965, 0.98), 1.6, "failed"),
        ((0.50, 0.49, 0.51), (0.97, 0.965, 0.98), 1.0, "failed"),
    ],
)
def test_the_worse_of_divergence_and_agreement_is_the_word(
    kl: tuple[float, float, float], agreement: tuple[float, float, float], perplexity: float, words: str
) -> None:
    """With both ends of the interval where they lie in other bands; a perplexity that rose by more than half fails."""
    nothing = Estimate(0.0, None, None, 20)
    found = Fidelity(
        *(Estimate(*kl, 20), 0.1, Estimate(*agreement, 20), Estimate(perplexity, None, None, 20), 800),
        *(nothing, nothing, False, {}),
    )
    assert bands.in_words(bands.judge_fidelity(found, bands.QualityBands())) == words
