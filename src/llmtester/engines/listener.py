"""Which process of this machine serves an address: so that memory of a server that we did not start can be read."""

from __future__ import annotations

from urllib.parse import urlsplit

from llmtester.engines.lookup import is_local


def listening_process(url: str) -> int | None:
    """The process that listens on the port of a loopback ``url``; ``None`` if it is elsewhere or not ours to see."""
    import psutil

    if not is_local(url):
        return None
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS asks for root
        return None
    listeners = {
        connection.pid
        for connection in connections
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
    }
    return listeners.pop() if len(listeners) == 1 else None
