"""What is too slow ends early, and what can only be slower is not begun, with its evidence."""

from __future__ import annotations

from llmtester.analysis.summarise import summarise
from llmtester.analysis.summary import Rating
from tests.worlds import LENS, World, fake_plan


def script(name: str, quantization: str, speed: float, size_mb: int) -> str:
    return f"{name}?ttft_ms=100&decode_tok_per_s={speed}&size_mb={size_mb}&realtime=0:{quantization}"


def test_unbearable_cells_end_after_two_trials() -> None:
    """Under 2 tok/s two trials are enough: done, poor, and the reason says why so few."""
    state, _ = World().run(fake_plan(script("snail", "Q8_0", 1.0, 9000)))
    (cell,) = summarise(state, LENS).cells
    assert (cell.status, cell.rating, cell.trials_count) == ("done", Rating.POOR, 2)
    assert "1.0 tok/s" in cell.reason


def test_a_long_wait_ends_a_cell_too() -> None:
    """More than 30 s to the first token is as clear."""
    state, _ = World().run(fake_plan("wait?ttft_ms=31000&decode_tok_per_s=90&realtime=0"))
    (cell,) = summarise(state, LENS).cells
    assert (cell.rating, cell.trials_count) == (Rating.POOR, 2)


def test_only_what_must_be_slower_is_skipped() -> None:
    """Larger quantizations of the model and larger models at its quantization go; smaller and unrelated ones stay."""
    state, _ = World().run(
        fake_plan(
            script("snail", "Q4_K_M", 1.0, 5000),
            script("snail", "Q8_0", 1.0, 9000),
            script("snail", "Q2_K", 9.0, 2000),
            script("whale", "Q4_K_M", 0.5, 40000),
            script("whale", "Q2_K", 9.0, 1900),
            script("mouse", "Q4_K_M", 90.0, 500),
        )
    )
    summary = summarise(state, LENS)
    words = {cell.key.split("/")[1] + ":" + cell.key.split("/")[2]: cell for cell in summary.cells}
    skipped = {name for name, cell in words.items() if cell.status == "skipped"}
    assert skipped == {"snail:Q8_0", "whale:Q4_K_M"}
    assert "snail Q4_K_M, which is smaller, was too slow already: 1.0 tok/s" in words["whale:Q4_K_M"].reason


def test_what_is_predicted_to_fail_is_skipped_with_prediction_and_evidence() -> None:
    """Files whose speeds follow their bytes foretell that one of forty times the size is unbearable."""
    plan = fake_plan(
        script("a", "Q4_K_M", 40.0, 1000),
        script("b", "Q5_K_M", 20.0, 2000),
        script("c", "Q6_K", 10.0, 4000),
        script("d", "Q8_0", 1.0, 40000),
    )
    state, _ = World().run(plan)
    skipped = [cell for cell in summarise(state, LENS).cells if cell.status == "skipped"]
    assert [cell.key.split("/")[1] for cell in skipped] == ["d"]
    assert "predicted, with 95 % confidence from 2 measured models: 1.0 tok/s" in skipped[0].reason


def test_one_measured_model_foretells_nothing() -> None:
    """A single point has no line, so nothing is skipped for it."""
    state, _ = World().run(fake_plan(script("a", "Q4_K_M", 40.0, 1000), script("d", "Q8_0", 30.0, 90000)))
    assert {cell.status for cell in summarise(state, LENS).cells} == {"done"}
