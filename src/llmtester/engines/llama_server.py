"""llama-server: a llama.cpp binary that the user has. Preferred where it exists, because it may know the GPU."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from llmtester.domain.errors import EngineError, EngineFailure, RequestFailed
from llmtester.domain.ports import EngineOptions, Session
from llmtester.domain.records import Available, Capabilities, Missing, SessionFacts
from llmtester.domain.text import printable
from llmtester.domain.work import ModelRef, Target
from llmtester.engines import llama_flags
from llmtester.engines.client import StreamingClient
from llmtester.engines.failures import ILLEGAL, ILLEGAL_FIX, gives_no_reason
from llmtester.engines.http_session import LLAMA, LlamaSession
from llmtester.engines.process import Launch, ServerManager, free_port
from llmtester.engines.processor_check import runs_here
from llmtester.engines.reaper import reap_stale_servers
from llmtester.engines.server_log import read_log
from llmtester.engines.told import count, mapping

START_TRIES = 3
CAPABILITIES = Capabilities(
    tokenize=True, timings=True, fixed_length=True, no_cache=True, logprobs=True, grammar=True, memory=True
)


@dataclass(frozen=True, slots=True)
class Start:
    """One way to start a llama.cpp server. ``command`` gets the port; ``shown`` is what a user could type."""

    engine: str
    build: str
    command: Callable[[int], tuple[str, ...]]
    shown: Callable[[int], tuple[str, ...]]
    secrets: Callable[[str], Mapping[str, str]]


class LlamaServerEngine:
    """Serves GGUF files with the binary of ``options.binary``, else ``llama-server`` on PATH."""

    name = "llama-server"

    def __init__(self, options: EngineOptions | None = None) -> None:
        self.options = options or EngineOptions()

    def available(self) -> Available | Missing:
        binary = self._binary()
        if isinstance(binary, Missing):
            return binary
        try:
            build = llama_flags.probe_version(binary)
        except EngineError as error:
            return Missing(f"{printable(str(binary))} cannot be run: {error.why}", error.fix, noteworthy=True)
        if self.options.check_processor and not runs_here(binary, self.options.folder):
            return Missing(f"{printable(str(binary))} cannot be used here: {ILLEGAL}", ILLEGAL_FIX, noteworthy=True)
        return Available(build, printable(str(binary)))

    def catalogue(self, wanted: Sequence[str]) -> tuple[ModelRef, ...] | None:
        return None

    def open(self, target: Target, folder: Path) -> AbstractAsyncContextManager[Session]:
        binary = self._binary()
        if isinstance(binary, Missing):
            raise EngineError(EngineFailure.UNREACHABLE, "there is no llama-server", why=binary.reason, fix=binary.fix)
        build = llama_flags.probe(binary)

        def command(port: int) -> tuple[str, ...]:
            return llama_flags.command(str(binary), target.model.path, port, target.settings, build)

        start = Start(self.name, build.version, command, command, lambda key: {"LLAMA_API_KEY": key})
        return serving(start, target, folder, self.options)

    def _binary(self) -> Path | Missing:
        fix = "install llama.cpp and give its path with --set engine.llama_server=PATH, or use --engine embedded"
        named = self.options.binary
        if named is None:
            found = shutil.which("llama-server")
            return Path(found) if found else Missing("no llama-server on PATH", fix)
        found = shutil.which(Path(named).expanduser())
        return Path(found) if found else Missing(f"{printable(named)} is no executable file", fix)


@asynccontextmanager
async def serving(start: Start, target: Target, folder: Path, options: EngineOptions) -> AsyncIterator[Session]:
    """A ready llama.cpp server of its own for the time of the block. Raises ``EngineError`` on entering.

    Another port is tried if somebody took the first one between choosing and binding, unless ``options`` name one. A
    server that ends without a reason is tried again: llama-server loses the last lines of its log, where the reason
    stands, in 2 to 3 of 100 exits (measured, build 10434).
    """
    state = options.folder / "servers" if options.folder else None
    if state is not None:
        reap_stale_servers(state)
    explained: EngineError | None = None
    for attempts_left in reversed(range(START_TRIES)):
        key, port = secrets.token_urlsafe(32), options.port or free_port()
        launch = Launch(
            what=f"{start.engine} with {printable(target.model.label)}",
            command=start.command(port),
            port=port,
            log_folder=folder,
            secrets=start.secrets(key),
            state_folder=state,
        )
        manager, client = ServerManager(launch), StreamingClient(f"http://127.0.0.1:{port}", key)
        try:
            manager.start()
            try:
                load_ns = await manager.wait_ready(lambda client=client: _is_ready(client), options.load_timeout_s)  # type: ignore[misc]
            except EngineError as error:
                silent = gives_no_reason(error)
                explained = explained if silent else error
                if attempts_left and (silent or (error.failure is EngineFailure.PORT_TAKEN and not options.port)):
                    continue
                raise explained or error from None
            facts = await _facts(start, target, manager, client, load_ns)
            yield LlamaSession(client, LLAMA, facts, target.model.name, manager.ended_within)
            return
        finally:
            await client.aclose()
            await manager.stop()


async def _is_ready(client: StreamingClient) -> bool:
    try:
        reply = await client.call("GET", "/health", limit_s=5.0)
    except RequestFailed:
        return False
    return isinstance(reply, dict) and reply.get("status") == "ok"


async def _facts(
    start: Start, target: Target, manager: ServerManager, client: StreamingClient, load_ns: int
) -> SessionFacts:
    """What is true of the running server, not what was asked for. Raises ``EngineError`` if it is not ours."""
    what = manager.launch.what
    try:
        props = mapping(await client.call("GET", "/props"))
    except RequestFailed as error:
        raise EngineError(EngineFailure.UNREACHABLE, f"{what} does not answer", why=error.detail) from error
    served = str(props.get("model_path", ""))
    if Path(served).name != Path(target.model.path).name:
        raise EngineError(
            EngineFailure.PORT_TAKEN,
            f"another server answers on the port of {what}",
            why=f"it serves {printable(served)}",
            fix="run again: another port is chosen",
        )
    logged = read_log(manager.log_text())
    context_tok = count(mapping(props.get("default_generation_settings")).get("n_ctx"))
    return SessionFacts(
        engine=start.engine,
        build=start.build,
        command=start.shown(manager.launch.port),
        load_ns=load_ns,
        context_tok=context_tok or target.settings.context_tok,
        slots=count(props.get("total_slots")) or target.settings.slots,
        capabilities=CAPABILITIES,
        process_id=manager.process_id,
        buffers=logged.buffers,
        system_info=logged.system_info,
    )
