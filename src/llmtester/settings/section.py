"""What every section of the settings is made of: the base class and the kinds of values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LONGEST_CONTEXT_TOK = 4_194_304
"""Above every context that a published model was trained for; a larger figure is a slip of the keyboard."""


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an address such as http://127.0.0.1:8080")
    if parts.username or parts.password or parts.query:
        raise ValueError("an address must not carry a key; name the variable that holds it in engine.api_key_env")
    return url.rstrip("/")


# Strict: `slots: true` and `slots: "2"` are slips, not numbers.
WholeNumber = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
Url = Annotated[str, AfterValidator(_without_credentials)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Limits: TypeAlias = tuple[Number, Number, Number]


def bounded(default: float | None, least: float, most: float, description: str) -> Any:
    """A field for a number from ``least`` to ``most``; where the type allows it, also nothing."""
    return Field(default=default, ge=least, le=most, description=description)


class Section(BaseModel):
    """A group of settings: unknown names are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
