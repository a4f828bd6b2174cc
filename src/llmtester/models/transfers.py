"""Several files at once, within a limit, with progress that arrives in one thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from llmtester.domain.errors import LlmtesterError
from llmtester.domain.text import printable
from llmtester.models.download import Downloader, Fetched, Interrupted, Job
from llmtester.models.hub_options import HubOptions
from llmtester.models.progress import OnProgress, Progress, Rate
from llmtester.models.retry import Stop

REPORT_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class _Done:
    job: Job
    fetched: Fetched | None
    error: BaseException | None


def fetch_all(jobs: Sequence[Job], options: HubOptions, stop: Stop, on_progress: OnProgress) -> dict[Job, Fetched]:
    """What each job brought. The first failure stops the others, keeps their partial files and is raised.

    ``on_progress`` is called in the calling thread only. Ctrl-C ends all transfers within a fraction of a second.
    """
    reports: queue.SimpleQueue[Progress | _Done] = queue.SimpleQueue()
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    workers = [
        threading.Thread(target=_work, args=(waiting, options, stop, reports), name=f"pull-{number}", daemon=True)
        for number in range(max(1, min(options.parallel_files, len(jobs))))
    ]
    for worker in workers:
        worker.start()
    done: dict[Job, Fetched] = {}
    failure: BaseException | None = None
    try:
        while len(done) < len(jobs) and failure is None:
            report = reports.get()
            if isinstance(report, Progress):
                on_progress(report)
            elif report.fetched is not None:
                done[report.job] = report.fetched
                on_progress(_finished(report.job, report.fetched))
            else:
                failure = report.error
    finally:
        stop_was_asked = stop.asked
        if len(done) < len(jobs):
            stop.ask()
        for worker in workers:
            worker.join()
    if failure is not None:
        if isinstance(failure, Interrupted) and stop_was_asked:
            raise KeyboardInterrupt
        raise failure
    return done


def _finished(job: Job, fetched: Fetched) -> Progress:
    return Progress("done", printable(job.label), fetched.have_bytes, fetched.size_bytes)


def _work(
    waiting: queue.SimpleQueue[Job],
    options: HubOptions,
    stop: Stop,
    reports: queue.SimpleQueue[Progress | _Done],
) -> None:
    downloader: Downloader | None = None
    try:
        while not stop.asked:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                downloader = downloader or Downloader(options, stop)
                fetched = downloader.fetch(job, _Reporter(job, reports))
                reports.put(_Done(job, fetched, None))
            except (LlmtesterError, Interrupted) as error:
                reports.put(_Done(job, None, error))
                return
            except BaseException as error:
                reports.put(_Done(job, None, error))  # a bug must surface in the main thread, not hang it
                raise
    finally:
        if downloader is not None:
            downloader.close()


class _Reporter:
    """Turns bytes into progress, at most ten times a second."""

    def __init__(self, job: Job, reports: queue.SimpleQueue[Progress | _Done]) -> None:
        self._job, self._reports = job, reports
        self._rate = Rate()
        self._last_s = 0.0

    def __call__(self, done: int, total: int | None, note: str) -> None:
        now_s = time.monotonic()
        if not note and now_s - self._last_s < REPORT_EVERY_S and done != total:
            return
        self._last_s = now_s
        speed = self._rate.add(now_s, done)
        left_s = (total - done) / speed if speed and total is not None else None
        stage = "wait" if note else "download"
        self._reports.put(
            Progress(stage, printable(self._job.label), done, total, speed, left_s, printable(note))  # type: ignore[arg-type]  # one of two stages
        )
