"""Keeps keys out of the HTTP library's log: it tells a server's headers, which may give a key back."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from .keys import Key

_LOGGERS = (
    *("httpx", "httpx2"),
    *("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks"),
)
_under_way: Counter[str] = Counter()


class _Hider(logging.Filter):
    """Cuts the keys of the calls that are under way out of a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _under_way:
            told = message = record.getMessage()
            for secret in tuple(_under_way):
                message = Key(secret).cut(message)
            if message != told:
                record.msg, record.args = message, ()
        return True


_HIDER = _Hider()


@contextmanager
def hidden_in_logs(key: Key) -> Iterator[None]:
    """Keep a key out of the log of the HTTP library for as long as a call is under way."""
    secrets = [one.secret for one in key.hidden]
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_HIDER)
    _under_way.update(secrets)
    try:
        yield
    finally:
        for secret in secrets:
            _under_way[secret] -= 1
            if not _under_way[secret]:
                del _under_way[secret]
