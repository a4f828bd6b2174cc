"""A headless browser for the report's tests."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from llmtester.analysis.summary import Summary
from llmtester.views.exporters import exporter

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def missing(reason: str) -> NoReturn:
    """Without a browser these tests skip; in continuous integration they fail, because there it must be."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser for one module: Playwright keeps its loop running in this thread for as long as it is open, and no test
    of another module could run one of its own."""
    path = os.environ.get("LLMTESTER_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing("no Chromium: install one or name it in LLMTESTER_CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install llmtester[dev]")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


POLL_MS = 20


class Opened:
    """A page and everything that it said or asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.requests.append(request.url))

    def _dialog(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def texts(self, selector: str) -> list[str]:
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]

    def until(self, expression: str, timeout_ms: float = 30_000) -> None:
        """Wait until a JavaScript expression is true.

        Each look is an evaluation of its own: ``wait_for_function`` looks again from inside the page, where the policy
        of the report forbids ``eval``, so it fails whenever the first look was too early.
        """
        ends_at_s = time.monotonic() + timeout_ms / 1e3
        while not self.page.evaluate(expression):
            assert time.monotonic() < ends_at_s, f"not within {timeout_ms / 1e3:g} s: {expression}"
            self.page.wait_for_timeout(POLL_MS)

    def draw_charts(self) -> None:
        """Scroll every chart into view and wait until all are interactive."""
        for chart in self.page.locator("#charts figure").all():
            chart.scroll_into_view_if_needed()
        self.until("[...document.querySelectorAll('#charts figure')].every(f => f.querySelector('.live .main-svg'))")


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """``opened(summary, width=..., **context)`` writes the report, opens it offline and waits until it is ready."""
    contexts = []

    def open_report(summary: Summary, width: int = 1440, **options: Any) -> Opened:
        path = tmp_path / "report.html"
        path.write_bytes(exporter("html").render(summary))
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        shown = Opened(context.new_page())
        shown.page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            shown.until("document.documentElement.dataset.ready")
        return shown

    yield open_report
    for context in contexts:
        context.close()
