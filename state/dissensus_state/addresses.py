"""How the address of a database is told: never with a password in it."""

from __future__ import annotations

from sqlalchemy.engine import URL

_SECRETS = ("password", "sslpassword", "oauth_client_secret")
"""What the server's library takes as parameters of an address, and nobody else should see."""


def shown(url: URL) -> str:
    """An address for people to read: `***` where its password stood, and no parameter that is secret."""
    return url.difference_update_query(_SECRETS).render_as_string(hide_password=True)


def to_copy(url: URL) -> str:
    """An address, or the path of a file, as a command takes it when it is copied.

    A password is left out: the server's library takes it from PGPASSWORD or ~/.pgpass.
    """
    url = url.difference_update_query(_SECRETS)
    if url.get_backend_name() == "sqlite" and url.database and not url.query:
        return url.database
    return URL.create(
        url.drivername.partition("+")[0],
        url.username,
        None,
        url.host,
        url.port,
        url.database,
        url.query,
    ).render_as_string()
