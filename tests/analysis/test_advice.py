"""Advice: fifty situations and what must be said in each, and the laws that hold in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtester.analysis.advice import CERTAINTIES, NOT_MEASURED, UNKNOWN, advise
from llmtester.analysis.advice_ranking import Evidence
from llmtester.analysis.advice_rules import KINDS, USES
from llmtester.analysis.summary import Advice, Estimate, Rating, StressResult
from llmtester.domain.records import Absent
from llmtester.domain.work import ServerSettings

from .advice_worlds import File, advice, batch_cells, chat_cells, depth_cells, every_advice, target

BIG = File("Big", billions=14, tok_per_s=6)
MID = File("Mid", billions=8, tok_per_s=20)
SMALL = File("Small", billions=1, tok_per_s=90, memory_gb=1.2)
CRAWL = File("Crawl", billions=70, tok_per_s=1, memory_gb=15)
Q8 = File("M", "Q8_0", bits=8.5, tok_per_s=16, memory_gb=9)
Q4 = File("M", "Q4_K_M", bits=4.8, tok_per_s=28, memory_gb=6)
Q2 = File("M", "Q2_K", bits=3.2, tok_per_s=45, memory_gb=4)
GOOD, POOR, FAILED, EXCELLENT = Rating.GOOD, Rating.POOR, Rating.FAILED, Rating.EXCELLENT
ACCEPTABLE = Rating.ACCEPTABLE

DEEP = {4096: EXCELLENT, 8192: GOOD, 16384: ACCEPTABLE, 32768: POOR}

# ruff: noqa: E501 - one line a situation, so that the table can be read as one
SCENARIOS: tuple[tuple[str, str, Sequence[File], str | None, dict[str, object]], ...] = (
    # use, files, the label of the winner, and what else must be true
    ("one good model", "chat", [MID], "Mid", {"certainty": "sure", "says": "good here"}),
    ("the largest that is fast enough", "chat", [SMALL, MID, BIG], "Mid", {"why": "largest"}),
    ("order of the files does not matter", "chat", [BIG, MID, SMALL], "Mid", {"next": "Small"}),
    ("slower ones are named", "chat", [MID, BIG], "Mid", {"why": "Rated lower: Big"}),
    ("acceptable only if nothing is good", "chat", [File("A", tok_per_s=10), CRAWL], "A", {"says": "acceptable here"}),
    ("good before a larger acceptable", "chat", [SMALL, File("A", tok_per_s=10)], "Small", {"next": "A"}),
    ("nothing is good enough", "chat", [CRAWL], None, {"says": "None of these models is good enough"}),
    ("the closest is named", "chat", [CRAWL, replace(CRAWL, name="Near", billions=1, tok_per_s=7)], None, {"says": "Near Q4_K_M comes closest"}),
    ("a long wait makes it poor", "chat", [replace(MID, ttft_s=20)], None, {"says": "None of these"}),
    ("a long wait loses to a short one", "chat", [replace(MID, ttft_s=20), SMALL], "Small", {}),
    ("more bits among equals", "chat", [Q4, Q8], "M Q8_0", {"why": "keeps most bits", "certainty": "fairly sure"}),
    ("few bits are doubted", "chat", [Q2, SMALL], "Small", {"why": "Probably damaged"}),
    ("doubtful beats too slow", "chat", [Q2, CRAWL], "M Q2_K", {"certainty": "a first hint", "caution": "3.2 bits"}),
    ("large models bear few bits", "chat", [replace(Q2, billions=70), SMALL], "M Q2_K", {}),
    ("equal twins are a tie", "chat", [MID, replace(MID, name="Twin")], "Twin", {"ties": 1, "says": "Twin Q4_K_M or Mid"}),
    ("three of a kind", "chat", [MID, replace(MID, name="T1"), replace(MID, name="T2")], "T2", {"ties": 2}),
    ("overlapping intervals are a tie", "chat", [replace(MID, spread=0.2), replace(MID, name="N", tok_per_s=23, spread=0.2)], "N", {"ties": 1}),
    ("clear difference is none", "chat", [MID, replace(MID, name="N", tok_per_s=30)], "N", {"ties": 0, "why": "fastest"}),
    ("noise lowers certainty", "chat", [replace(MID, spread=0.09)], "Mid", {"certainty": "fairly sure"}),
    ("a doubt lowers certainty", "chat", [replace(MID, finding="Other programs were busy.")], "Mid", {"certainty": "fairly sure", "caution": "busy"}),
    ("noise and doubt", "chat", [replace(MID, spread=0.09, finding="x")], "Mid", {"certainty": "a first hint"}),
    ("unfinished", "chat", [replace(MID, status="partial")], "Mid", {"certainty": "a first hint", "change": "--resume"}),
    ("others are pending", "chat", [MID, replace(BIG, status="pending")], "Mid", {"certainty": "fairly sure", "change": "1 cell of this profile is missing"}),
    ("near the limit", "chat", [replace(MID, tok_per_s=15.05), SMALL], "Mid", {"certainty": "fairly sure"}),
    ("the limit that must be kept", "chat", [MID, SMALL], "Mid", {"change": "Below 15 tok/s (here 20) the next would take its place: Small"}),
    ("the wait that must be kept", "chat", [replace(MID, ttft_s=2.8), SMALL], "Mid", {"change": "more than 3 s for the first word (here 2.8 s)"}),
    ("a faster machine", "chat", [MID, BIG], "Mid", {"change": "On a machine 2.5 times as fast, Big"}),
    ("a faster machine, same model", "chat", [Q4, replace(Q8, tok_per_s=10)], "M Q4_K_M", {"change": "On a machine 1.5 times as fast, M Q8_0 would be the choice: it keeps more of the model"}),
    ("unmeasured answers", "chat", [MID], "Mid", {"why": "not measured", "change": "--profiles quality"}),
    ("all servers failed", "chat", [replace(MID, status="failed")], None, {"certainty": UNKNOWN, "says": "could be rated", "why": "why not"}),
    ("only skipped", "chat", [replace(MID, status="skipped"), replace(SMALL, tok_per_s=None, right=20)], None, {"certainty": NOT_MEASURED, "why": "left out: why not"}),
    ("not come to yet", "long documents", [replace(MID, right=30, depths={4096: GOOD}, status="pending")], None, {"certainty": NOT_MEASURED, "why": "ended before it came to this", "command": "llmtester run --resume"}),
    ("a note is no caution", "chat", [replace(MID, finding="Just so you know.", severity="note")], "Mid", {"certainty": "sure", "cautions": ()}),
    ("played, not measured", "chat", [replace(MID, engine="fake")], "Mid", {"caution": "no model was measured"}),
    ("damaged answers lose", "chat", [replace(Q8, tok_per_s=9, right=36), replace(Q4, right=34, word=GOOD), replace(Q2, right=10, word=POOR)], "M Q4_K_M", {"why": "damaged: M Q2_K"}),
    ("only a damaged one is fast", "chat", [replace(Q2, right=10, word=FAILED)], None, {"says": "the answers of M Q2_K are damaged"}),
    ("sound and slow before damaged and fast", "chat", [replace(Q8, tok_per_s=3, right=36), replace(Q2, right=9, word=FAILED)], None, {"says": "M Q8_0 comes closest"}),
    ("equal words: the faster file", "chat", [replace(Q8, right=36), replace(Q8, quant="Q6_K", bits=8.0, tok_per_s=25, right=36, word=EXCELLENT)], "M Q6_K", {"why": "fastest"}),
    ("better word before speed", "chat", [replace(Q8, right=36), replace(Q4, right=35, word=GOOD)], "M Q8_0", {"why": "most of the original answers"}),
    ("measured answers overrule size", "chat", [replace(MID, right=15), replace(SMALL, right=36)], "Small", {"why": "Mid Q4_K_M is out"}),
    ("answers alike: the larger", "chat", [replace(MID, right=35), replace(SMALL, right=36)], "Mid", {}),
    ("larger but unmeasured", "chat", [MID, replace(SMALL, right=36)], "Mid", {"change": "--profiles quality"}),
    ("a measured file is not beaten by an unmeasured sibling", "chat", [replace(Q4, right=35, word=GOOD), replace(Q4, quant="Q5_0", bits=5.5)], "M Q4_K_M", {}),
    ("degraded kinds are named", "chat", [replace(Q8, right=36), replace(Q4, right={"arithmetic": 12}, reference_right=36, word=ACCEPTABLE)], "M Q8_0", {"caution": "Avoid M Q4_K_M for figures: 28 of 40 sums wrong; M Q8_0 gets 4 wrong."}),
    ("little memory left", "chat", [replace(MID, memory_gb=14.5)], "Mid", {"caution": "14.5 GB of the 16.0 GB"}),
    ("parameters unknown: size stands in", "chat", [replace(MID, billions=None), replace(SMALL, billions=None)], "Small", {}),
    ("coding without answers", "coding", [MID, SMALL], None, {"basis": "not measured", "certainty": NOT_MEASURED}),
    ("coding with answers", "coding", [replace(MID, right=35), replace(SMALL, right=20)], "Mid", {"basis": "measured", "certainty": "fairly sure", "why": "105 right"}),
    ("coding: JSON decides", "coding", [replace(MID, right={"structured": 2, "logic": 10, "instructions": 8}), replace(SMALL, right=30)], "Small", {"why": "is out"}),
    ("coding: sums do not matter", "coding", [replace(MID, right={"arithmetic": 0}), replace(SMALL, right=30)], "Mid", {}),
    ("coding needs speed", "coding", [replace(BIG, tok_per_s=2, right=38)], None, {"says": "good enough for coding"}),
    ("coding without speed", "coding", [replace(MID, tok_per_s=None, right=30)], None, {"certainty": NOT_MEASURED}),
    ("long documents not run", "long documents", [MID], None, {"basis": "not measured", "command": "llmtester run --profiles long_context"}),
    ("the deepest wins", "long documents", [replace(SMALL, depths=DEEP, usable_tok=16384), replace(MID, depths=DEEP, usable_tok=4096)], "Small", {"says": "16,384 tokens, about 13,000 words"}),
    ("beyond enough, the larger", "long documents", [replace(SMALL, depths={131072: GOOD}, usable_tok=131072), replace(MID, depths={32768: GOOD}, usable_tok=32768)], "Mid", {}),
    ("depth from the cells alone", "long documents", [replace(MID, depths={4096: GOOD, 8192: GOOD})], "Mid", {"says": "8,192 tokens"}),
    ("too slow at every depth", "long documents", [replace(MID, depths={4096: POOR})], None, {}),
    ("batch not run", "batch work", [MID], None, {"basis": "not measured", "command": "llmtester run --profiles batch"}),
    ("most documents", "batch work", [replace(MID, documents_per_hour=90), replace(SMALL, documents_per_hour=400)], "Small", {"says": "400 documents an hour", "next": "Mid"}),
    ("batch: the limit that must be kept", "batch work", [replace(MID, documents_per_hour=90), replace(SMALL, documents_per_hour=80)], "Mid", {"change": "Below 20 documents an hour (here 90)"}),
    ("batch by throughput", "batch work", [replace(MID, documents_per_hour=90, counted="throughput_tok_per_s")], "Mid", {"says": "90 tok/s", "metric": "throughput_tok_per_s"}),
    ("bits from the size", "low memory", [replace(Q2, bits=None), replace(Q4, bits=None)], "M Q2_K", {}),
    ("batch: wrong facts are out", "batch work", [replace(MID, documents_per_hour=90, right=36), replace(SMALL, documents_per_hour=400, right=12)], "Mid", {"why": "Small Q4_K_M is out"}),
    ("batch: damaged is out", "batch work", [replace(Q4, documents_per_hour=90, right=35, word=GOOD), replace(Q2, documents_per_hour=200, right=30, word=POOR)], "M Q4_K_M", {}),
    ("least memory that is good enough", "low memory", [SMALL, MID, BIG], "Small", {"says": "1.2 GB", "why": "The next takes 6.0 GB"}),
    ("least memory, but not damaged", "low memory", [Q2, Q4, Q8], "M Q4_K_M", {"why": "Probably damaged"}),
    ("memory is unknown", "low memory", [replace(MID, memory_gb=None)], None, {"certainty": UNKNOWN, "why": "cannot be measured here"}),
    ("low memory without speed", "low memory", [replace(Q8, tok_per_s=None, right=36), replace(Q4, tok_per_s=None, right=35, word=GOOD)], "M Q4_K_M", {"basis": "fallback", "certainty": "a first hint"}),
    ("balance needs answers", "best balanced", [MID, SMALL], None, {"basis": "not measured", "command": "llmtester run --profiles interactive,quality"}),
    ("balance of three", "best balanced", [replace(BIG, tok_per_s=9, right=38, memory_gb=12), replace(MID, right=36), replace(SMALL, right=12)], "Mid", {"why": "216 of 240 questions right"}),
    ("a small one may balance best", "best balanced", [replace(MID, right=36, memory_gb=14), replace(SMALL, right=30)], "Small", {}),
)  # fmt: skip


def checked(found: Advice, files: Sequence[File], winner: str | None, also: dict[str, object]) -> None:
    keys = {file.key: file.label for file in files}
    named = keys.get(found.winner or "")
    assert (named or "").startswith(winner or "") and (named is None) == (winner is None), found
    places = {"why": found.why, "caution": found.cautions, "change": found.changes}
    for what, value in also.items():
        if what in places:
            assert any(str(value) in said for said in places[what]), places[what]
        elif what == "says":
            assert str(value) in found.verdict
        elif what == "ties":
            assert len(found.ties) == value
        elif what == "next":
            assert keys[found.runner_up or ""].startswith(str(value))
        elif what == "command":
            assert found.next_command == value
        else:
            assert getattr(found, what) == value


@pytest.mark.parametrize(
    ("use", "files", "winner", "also"), [one[1:] for one in SCENARIOS], ids=[one[0] for one in SCENARIOS]
)
def test_each_situation_gets_its_advice(
    use: str, files: Sequence[File], winner: str | None, also: dict[str, object]
) -> None:
    """The winner, how sure, and the words that a person needs, in more than forty situations."""
    checked(advice(files, use), files, winner, also)


def test_every_use_is_answered_and_the_measured_ones_come_first() -> None:
    """Six rows however little was run; what was not measured says so and names the command."""
    found = every_advice([MID])
    assert {one.use for one in found} == {use.name for use in USES}
    bases = [one.basis for one in found]
    assert bases == sorted(bases, key=["measured", "fallback", "not measured"].index)
    for one in found:
        assert (one.basis == "measured") or one.next_command.startswith("llmtester run")
        assert one.certainty in {*CERTAINTIES, UNKNOWN, NOT_MEASURED}


def test_nothing_tried_gives_no_advice() -> None:
    """Before the first trial there is nothing to advise from."""
    assert every_advice([replace(MID, status="pending")]) == ()


def test_kinds_of_questions_in_the_rules_have_words() -> None:
    """Each kind that a use depends on can be named to a person."""
    assert {kind for use in USES for kind in use.kinds} <= set(KINDS)


def test_servers_of_one_file_are_one_choice() -> None:
    """A profile that needs more context has a server of its own; the advice rests on that one and its command."""
    both = replace(MID, depths={4096: GOOD})
    deep = target(both, ServerSettings(context_tok=40_960), "-deep")
    cells = [replace(cell, target=deep.key) for cell in depth_cells(both)] + chat_cells(both)
    found = {one.use: one for one in advise([target(both), deep], cells)}
    assert found["chat"].winner == both.key
    assert found["long documents"].winner == deep.key
    assert "PARAMETER num_ctx 40960" in found["long documents"].modelfile
    assert found["chat"].ties == ()


def test_what_continuous_work_cost_the_winner_is_a_caution() -> None:
    """A file that loses a quarter of its speed when it is hot is still recommended, and the reader is told."""
    hot = StressResult(
        *("cell", MID.key, 600.0, "", Absent("x"), Absent("x"), Estimate(0.75, 0.7, 0.8, 9), Absent("x"), Absent("x")),
        *("seen", "the clock fell", Absent("x"), Absent("x"), ""),
    )
    (found, *_) = advise([target(MID)], chat_cells(MID), (), Evidence(stress=(hot,)))
    assert "Under continuous work it keeps only 75% of its speed." in found.cautions
    cool = replace(hot, sustained_ratio=Estimate(0.98, 0.97, 0.99, 9))
    (found, *_) = advise([target(MID)], chat_cells(MID), (), Evidence(stress=(cool,)))
    assert not found.cautions


def test_the_command_can_be_typed_and_holds_no_secret() -> None:
    """The usual port instead of the measured one, nothing that served only the measuring, keys replaced."""
    found = advice([MID])
    assert found.command == ("/opt/llama/llama-server --model /models/Mid-Q4_K_M.gguf --port 8080 --ctx-size 4096")
    assert found.modelfile == "FROM /models/Mid-Q4_K_M.gguf\nPARAMETER num_ctx 4096\n"


WORDS = st.sampled_from([EXCELLENT, GOOD, ACCEPTABLE, POOR, FAILED])


@st.composite
def matrices(draw: st.DrawFn) -> list[File]:
    """Two to five files of different models, all measured by the same profiles."""
    judged = draw(st.booleans())
    return [
        File(
            name=f"M{place}",
            billions=draw(st.sampled_from([1.0, 4.0, 8.0, 14.0])),
            bits=draw(st.sampled_from([3.0, 4.8, 6.6, 8.5])),
            tok_per_s=draw(st.sampled_from([2.0, 9.0, 16.0, 16.2, 33.0, 80.0])),
            ttft_s=draw(st.sampled_from([0.5, 2.0, 8.0])),
            memory_gb=draw(st.sampled_from([1.0, 5.0, 9.0, 15.0])),
            right=draw(st.integers(0, 40)) if judged else None,
            word=draw(WORDS) if judged else None,
            documents_per_hour=draw(st.sampled_from([10.0, 50.0, 51.0, 300.0])),
            usable_tok=draw(st.sampled_from([4096, 16384, 65536])),
            depths={4096: draw(WORDS)},
        )
        for place in range(draw(st.integers(2, 5)))
    ]


USE_NAMES = st.sampled_from([use.name for use in USES])


@pytest.mark.untraced
@given(matrices(), USE_NAMES, st.integers(0, 4), st.floats(0.3, 1.0))
@settings(max_examples=120, deadline=None)
def test_a_worse_model_never_changes_the_winner(files: list[File], use: str, of: int, factor: float) -> None:
    """A file that is worse than the winner in everything leaves the winner where it was."""
    before = advice(files, use)
    winner = next((file for file in files if file.key == before.winner), files[of % len(files)])
    assert winner.tok_per_s and winner.memory_gb and winner.billions and winner.bits and winner.documents_per_hour
    assert winner.usable_tok and winner.depths
    order = [EXCELLENT, GOOD, ACCEPTABLE, POOR, FAILED]
    right = winner.right if isinstance(winner.right, int) else None
    worse = replace(
        winner,
        name="A worse one",
        billions=winner.billions * factor,
        bits=winner.bits * factor,
        tok_per_s=winner.tok_per_s * factor * 0.99,
        ttft_s=winner.ttft_s / factor,
        memory_gb=winner.memory_gb / factor + 0.1,
        right=None if right is None else int(right * factor),
        word=winner.word and order[min(4, order.index(winner.word) + int(factor < 0.6))],
        documents_per_hour=winner.documents_per_hour * factor * 0.99,
        usable_tok=int(winner.usable_tok * factor),
        depths={depth: order[min(4, order.index(word) + 1)] for depth, word in winner.depths.items()},
    )
    assert advice([*files, worse], use).winner == before.winner


@given(matrices(), USE_NAMES)
@settings(max_examples=120, deadline=None)
def test_without_the_winner_the_next_one_wins(files: list[File], use: str) -> None:
    """What the advice names as next is what it would say had the winner not been there."""
    before = advice(files, use)
    if before.winner is None:
        return
    after = advice([file for file in files if file.key != before.winner], use)
    assert after.winner in {before.runner_up, None}
    if after.winner is None and before.runner_up is not None:
        label = next(file.label for file in files if file.key == before.runner_up)
        assert label in after.verdict


def test_a_limit_without_words_is_not_put_into_others() -> None:
    """Where the share of right facts is closest to its limit, no speed is named at which another would win."""
    files = [replace(MID, documents_per_hour=90), replace(SMALL, documents_per_hour=80)]
    cells = [cell for file in files for cell in batch_cells(file)]
    facts = Estimate(0.71, 0.7, 0.72, 6)
    tight = [replace(cell, metrics={**cell.metrics, "facts_ratio": facts}) for cell in cells]
    for measured, told in ((cells, True), (tight, False)):
        found = next(one for one in advise([target(file) for file in files], measured) if one.use == "batch work")
        assert found.winner == MID.key
        assert any("documents an hour" in change for change in found.changes) is told


def test_what_did_not_fail_for_its_speed_needs_no_faster_machine() -> None:
    """A larger model whose server died under one load is not promised to a faster machine; a slow one is."""
    large = replace(BIG, tok_per_s=20)
    (good,) = chat_cells(large)
    lost = replace(good, key=f"{good.key}-lost", status="failed", rating=FAILED, metrics={})
    for cells, promised in (([good, lost], False), (chat_cells(BIG), True)):
        (found, *_) = advise([target(MID), target(BIG)], [*chat_cells(MID), *cells])
        assert (found.use, found.winner, found.runner_up) == ("chat", MID.key, BIG.key)
        assert any("times as fast" in change for change in found.changes) is promised
