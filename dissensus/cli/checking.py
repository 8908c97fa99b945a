"""`verify`: whether the history holds."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import click

from . import pages
from .opening import opened_session
from .options import examples, on_session, schema
from .output import show
from .schemas import known_schema


@click.command(epilog=examples("dissensus verify", "dissensus verify --schema inquiry:Inquiry"))
@on_session
@schema
def verify(*, database: str | None, session: str | None, as_json: bool, schema: str | None) -> None:
    """Check that the history could have come about.

    It recomputes the hash chain and admits every commit again. Where one could not have been
    admitted, it fails and names it. With the session's schema it also checks which transitions
    needed a review.
    """
    from .data import place

    with opened_session(database, session, partial(known_schema, schema)) as found:
        data = {**place(found), **asdict(found.verify())}
    show(data, pages.verified(data), as_json=as_json)
