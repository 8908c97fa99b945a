"""Large texts, stored once for each session by their digest, and the packing of bytes.

A value over 64 KiB inside a patch is replaced by its digest in the stored text, which is what the
hash chain covers: the value can go for good (erasure) and the chain still verifies.
"""

from __future__ import annotations

import base64
import zlib

import sqlalchemy as sa

from .engines import Statement, Work, insert_absent
from .errors import NotFound, Tampered
from .patches import Operation, Patch, patch_from_json
from .tables import blobs
from .values import JSON, bounded, canonical, digest, parse, parse_list

LARGE = 64 * 1024
"""From this length of its canonical text on, a value is stored by digest."""

MAX_UNPACKED = 256 * 1024 * 1024

SHORT = 120
"""Up to this length a literal piece of a request stands in the request itself."""

_PLAIN, _DEFLATED = b"\x00", b"\x01"

_insert = insert_absent(blobs)
_select = Statement(
    sa.select(blobs.c.data).where(
        blobs.c.session_id == sa.bindparam("session_id"), blobs.c.digest == sa.bindparam("digest")
    )
)
_all = Statement(
    sa.select(blobs.c.digest, blobs.c.data).where(blobs.c.session_id == sa.bindparam("session_id"))
)


def pack(data: bytes) -> bytes:
    """Deflate where that helps; the first byte says whether it did."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    smaller = packer.compress(data) + packer.flush()
    return _DEFLATED + smaller if len(smaller) < len(data) else _PLAIN + data


def unpack(data: bytes) -> bytes:
    """Undo `pack`; `Tampered` where the bytes are not of its making or unpack beyond 256 MiB."""
    kind, body = bytes(data[:1]), bytes(data[1:])
    if kind == _PLAIN:
        return body
    unpacker = zlib.decompressobj(-15)
    try:
        plain = unpacker.decompress(body, MAX_UNPACKED)
    except zlib.error:
        plain = None
    if kind != _DEFLATED or plain is None or not unpacker.eof:
        raise Tampered("Stored bytes cannot be unpacked")
    return plain


def put(work: Work, session_id: int, text: str) -> bytes:
    """Keep a text under its digest, which is returned."""
    name = digest(text)
    work.run(_insert, session_id=session_id, digest=name, data=pack(text.encode()))
    return name


def get(work: Work, session_id: int, name: bytes) -> str:
    """The text of that digest; `NotFound` if it was never kept or is erased."""
    row = work.one(_select, session_id=session_id, digest=name)
    if row is None:
        raise NotFound(f"The text with digest {name.hex()[:16]}… is not stored")
    return _checked(name, unpack_text(row[0]))


def _checked(name: bytes, text: str) -> str:
    if digest(text) != name:
        raise Tampered(f"The text with digest {name.hex()[:16]}… is not what was kept")
    return text


def unpack_text(data: bytes) -> str:
    """Undo `pack` on a text; `Tampered` where there is none."""
    try:
        return unpack(data).decode()
    except UnicodeDecodeError:
        raise Tampered("Stored bytes are not the text they were") from None


def reference(name: bytes) -> str:
    """A digest as text inside JSON."""
    return base64.urlsafe_b64encode(name).decode().rstrip("=")


def dereference(text: str) -> bytes:
    """The digest behind a reference."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Tampered(f"{text[:64]!r} refers to nothing") from None


def stow(work: Work, session_id: int, patch: Patch) -> str:
    """The text of a patch as it is stored, its large values kept aside by digest.

    Raises:
        ValueRefused: a value, or the patch without its large values, is over `values.MAX_BYTES`.
    """
    return bounded(canonical([_stowed(work, session_id, operation) for operation in patch]))


def _stowed(work: Work, session_id: int, operation: Operation) -> JSON:
    plain = operation.to_json()
    if len(plain) < 3 or _short(plain[2]):
        return plain
    text = bounded(canonical(plain[2]), plain[1])
    if len(text) < LARGE:
        return plain
    return [plain[0], plain[1], reference(put(work, session_id, text)), operation.key, "blob"]


def _short(value: JSON) -> bool:
    """Whether a look tells that the value is small, without writing its text."""
    if isinstance(value, str):
        return len(value) < LARGE // 8
    return not isinstance(value, list | dict)


def stow_texts(work: Work, session_id: int, request: JSON, kept: set[bytes]) -> JSON:
    """A request with each long `{"text": …}` in it kept aside, as `{"blob": reference}`.

    Args:
        kept: Digests that this caller knows to be stored already; it grows.
    """
    if isinstance(request, list):
        return [stow_texts(work, session_id, item, kept) for item in request]
    if not isinstance(request, dict) or len(request.get("text", "")) <= SHORT:
        return request
    name = digest(request["text"])
    if name not in kept:
        put(work, session_id, request["text"])
        kept.add(name)
    rest = {field: value for field, value in request.items() if field != "text"}
    return {"blob": reference(name), **rest}


def fetch(work: Work, session_id: int, stored: str) -> Patch:
    """A stored patch with its large values back in place."""
    return patch_from_json([_fetched(work, session_id, item) for item in parse_list(stored)])


def _fetched(work: Work, session_id: int, item: JSON) -> JSON:
    match item:
        case [verb, path, str(name), key, "blob"]:
            value = parse(get(work, session_id, dereference(name)))
            return [verb, path, value, key] if key else [verb, path, value]
    return item


def check(work: Work, session_id: int) -> None:
    """Raise `Tampered` for the first text that is not what its digest says."""
    for name, data in work.all(_all, session_id=session_id):
        _checked(bytes(name), unpack_text(data))
