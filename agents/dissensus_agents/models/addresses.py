"""Base URLs as a user gives them: nothing secret in them may be shown."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote

from ..errors import ProviderFailed
from .keys import Key, login
from .transport import address, parse_url


def parse_base(url: str) -> SplitResult:
    """A URL below which the paths of a format stand.

    Raises:
        ProviderFailed: It is none, or has a query, in which a key would be for all to see.
    """
    parts = parse_url(url)
    if parts.query or parts.fragment:
        raise ProviderFailed(
            f"The base URL {address(parts)} has something after its path, where a format puts its own",
            next_step="Leave it out; a key belongs into an environment variable (key_env)",
        )
    return parts


def without_login(parts: SplitResult) -> tuple[SplitResult, Key | None]:
    """A URL without user and password, and these as a key: nothing that shows the URL may show them."""
    if parts.username is None:
        return parts, None
    name, secret = unquote(parts.username), unquote(parts.password or "")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]), login(name, secret)
