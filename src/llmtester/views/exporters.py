"""The table of file formats of a report, and how to get one of them by name.

``EXPORTERS`` holds ``module:attribute`` so that naming a format imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Protocol, cast

from llmtester.analysis.summary import Summary
from llmtester.domain.errors import ConfigurationError


class Exporter(Protocol):
    """A file format. ``suffix`` ends the file's name: ``{timestamp}_{suffix}``."""

    suffix: str

    def render(self, summary: Summary) -> bytes:
        """The whole file. Pure: equal summaries give equal bytes, and nothing is read or written elsewhere."""
        ...


EXPORTERS: Mapping[str, str] = MappingProxyType(
    {
        "json": "llmtester.views.results_json:JsonExporter",
        "csv": "llmtester.views.results_csv:CsvExporter",
        "md": "llmtester.views.markdown:MarkdownExporter",
        "html": "llmtester.views.html:HtmlExporter",
    }
)


def exporter(name: str, table: Mapping[str, str] = EXPORTERS) -> Exporter:
    """The exporter called ``name``, ready to render. Raises ``ConfigurationError`` for one that is not in ``table``."""
    if name not in table:
        raise ConfigurationError(
            f"there is no report format called {name!r}",
            fix=f"Choose from: {', '.join(sorted(table))}",
        )
    module, _, attribute = table[name].partition(":")
    return cast("Exporter", getattr(import_module(module), attribute)())
