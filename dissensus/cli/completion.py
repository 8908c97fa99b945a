"""`completion`: what a shell needs to complete commands, options, sessions, branches and paths."""

from __future__ import annotations

import click

from .options import examples
from .output import write

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        'eval "$(dissensus completion bash)"',
        "dissensus completion fish > ~/.config/fish/completions/dissensus.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print what a shell needs to complete what you type.

    It completes commands and options, and of the database that the line names: sessions, branches, tags,
    versions, authors and paths.
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    root = context.find_root()
    if made is None:  # only where click no longer knows a shell that it knew
        raise click.UsageError(f"There is no completion for {shell}")
    write(made(root.command, {}, "dissensus", "_DISSENSUS_COMPLETE").source() + "\n")
