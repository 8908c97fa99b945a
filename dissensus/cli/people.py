"""Who a person at the terminal is, as the history names them."""

from __future__ import annotations

import getpass

import click


def login_name() -> str:
    """The name under which this user is logged in."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "user"


author_option = click.option(
    "--author",
    envvar="DISSENSUS_AUTHOR",
    default=login_name,
    help="Who does it. [env: DISSENSUS_AUTHOR; else your login name]",
)
