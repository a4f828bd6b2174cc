"""A command group that imports a command when it is used, and its name and one line of help before that.

Measured: with every command module imported, ``llmtester --help`` takes 1.6 times ``import typer``; with this, 1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter


class Group(TyperGroup):
    """A group whose help gives each command its whole line instead of the first 45 characters."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The list of commands, each with the first line of what it says of itself."""
        rows = [
            (name, (command.help or "").partition("\n")[0])
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class CommandsOnDemand(TyperGroup):
    """A group whose ``rows`` map a name to where the command is (``module:attribute``) and its line of help.

    The attribute is a function with Typer annotations or a ``typer.Typer``.
    """

    rows: ClassVar[Mapping[str, tuple[str, str]]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: dict[str, Any] = dict.fromkeys(self.rows)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The command, imported now, or ``None`` if there is none of that name."""
        if cmd_name in self.rows and self.commands[cmd_name] is None:
            self.commands[cmd_name] = self._imported(cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The list of commands in the help of the group, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.rows.items()])

    def _imported(self, name: str) -> Command:
        where, line = self.rows[name]
        module, _, attribute = where.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_group(found)
            group.help = group.help or line
            return group
        single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        single.command(name)(found)
        return typer.main.get_command(single)
