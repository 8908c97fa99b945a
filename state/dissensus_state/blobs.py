"""Large texts, stored once for each session by their digest, and the packing of bytes.

A value over 64 KiB inside a patch is replaced by its digest in the stored text, which is what the
hash chain covers: the value can go for good (erasure) and the chain still verifies.
"""

from __future__ import annotations

import base64
import re
import threading
import zlib
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring
from typing import NamedTuple

import sqlalchemy as sa
import zstandard

from .engines import Statement, Work, insert_absent
from .errors import NotFound, Tampered
from .patches import VERBS, Operation, Patch, patch_from_json
from .tables import blobs
from .values import JSON, bounded, canonical, canonical_of_plain, digest, parse, parse_list, pointer

LARGE = 64 * 1024
"""From this length of its canonical text on, a value is stored by digest."""

MAX_UNPACKED = 256 * 1024 * 1024

SHORT = 120
"""Up to this length a literal piece of a request stands in the request itself."""

_PLAIN, _DEFLATED, _ZSTANDARD, _GONE = b"\x00", b"\x01", b"\x02", b"\x03"

REDACTED = "[redacted]"
"""What is read where a text was taken away for good."""

_LEVEL = 3

_gone_text = re.compile(r'\{"redacted":"([A-Za-z0-9_-]{43})"\}')

_kept_aside = re.compile(r'^blob:([\w-]{43})$|"blob":"([\w-]{43})"|"([\w-]{43})",(?:null|"[^"]*"),"blob"\]')

_own = threading.local()
"""A compressor is not to be used by two threads at once."""

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
    """Compress where that helps; the first byte says how."""
    packer: zstandard.ZstdCompressor | None = getattr(_own, "packer", None)
    if packer is None:
        packer = _own.packer = zstandard.ZstdCompressor(level=_LEVEL)
    smaller = packer.compress(data)
    return _ZSTANDARD + smaller if len(smaller) < len(data) else _PLAIN + data


def unpack(data: bytes) -> bytes:
    """Undo `pack`; `Tampered` where the bytes are not of its making or unpack beyond 256 MiB."""
    kind, body = bytes(data[:1]), bytes(data[1:])
    if kind == _PLAIN:
        return body
    if kind == _GONE:
        return REDACTED.encode()
    plain = _UNPACK[kind](body) if kind in _UNPACK else None
    if plain is None:
        raise Tampered("Stored bytes cannot be unpacked")
    return plain


def _inflated(body: bytes) -> bytes | None:
    unpacker = zlib.decompressobj(-15)
    try:
        plain = unpacker.decompress(body, MAX_UNPACKED)
    except zlib.error:
        return None
    return plain if unpacker.eof else None


def _decompressed(body: bytes) -> bytes | None:
    try:
        if not 0 <= zstandard.frame_content_size(body) <= MAX_UNPACKED:
            return None
        return zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)
    except zstandard.ZstdError:
        return None


_UNPACK = {_DEFLATED: _inflated, _ZSTANDARD: _decompressed}


def gone(packed: bytes) -> bytes:
    """What stands for packed bytes that were taken away for good: their digest."""
    return _GONE + bytes.fromhex(packed_digest(packed))


def is_gone(stored: str | bytes | None) -> bool:
    """Whether only the digest of a stored text, or of packed bytes, is left."""
    if isinstance(stored, str):
        return _gone_text.fullmatch(stored) is not None
    return stored is not None and stored[:1] == _GONE


def packed_digest(packed: bytes) -> str:
    """The digest of packed bytes, whether they are still there or not."""
    if packed[:1] == _GONE:
        return bytes(packed[1:]).hex()
    return digest(unpack(packed)).hex()


def gone_text(text: str) -> str:
    """What stands for a stored text that was taken away for good: its digest."""
    return canonical({"redacted": reference(bytes.fromhex(text_digest(text)))})


def text_digest(text: str) -> str:
    """The digest of a stored text, whether it is still there or not."""
    match _gone_text.fullmatch(text):
        case None:
            return digest(text).hex()
        case found:
            return dereference(found[1]).hex()


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


class Stowed(NamedTuple):
    """A patch as it is stored: its text, the digest that the chain covers, and what is kept aside."""

    text: str
    digest: str
    aside: tuple[tuple[bytes, str], ...] = ()


def stowed(patch: Patch) -> Stowed:
    """How a patch is stored, its large values by digest.

    Raises:
        ValueRefused: a value, or the patch without its large values, is over `values.MAX_BYTES`.
    """
    texts, headers, aside = [], [], []
    for operation in patch:
        text, header, large = _stowed(operation)
        texts.append(text)
        headers.append(header)
        if large is not None:
            aside.append((bytes.fromhex(header[2]), large))
    return Stowed(bounded(f"[{','.join(texts)}]"), digest(canonical_of_plain(headers)).hex(), tuple(aside))


def keep(work: Work, session_id: int, made: Stowed) -> None:
    """Keep the large values of a patch."""
    for name, text in made.aside:
        work.run(_insert, session_id=session_id, digest=name, data=pack(text.encode()))


def stow(work: Work, session_id: int, patch: Patch) -> str:
    """The text of a patch as it is stored, its large values kept aside by digest."""
    made = stowed(patch)
    keep(work, session_id, made)
    return made.text


def restowed(items: Sequence[JSON]) -> Stowed:
    """How a patch is stored that was read back: the operations as they stood there, large values by digest.

    Raises:
        Tampered: one of them is no operation.
        ValueRefused: one of them is no JSON value.
    """
    texts, headers = [], []
    for item in items:
        match item:
            case [str(verb), str(place), value] if verb in VERBS:
                text = canonical(value)
                texts.append(f'["{verb}",{encode_basestring(place)},{text}]')
                headers.append([verb, place, digest(text).hex(), None])
            case _:
                texts.append(canonical(item))
                headers.append(header(item))
    return Stowed(f"[{','.join(texts)}]", digest(canonical(headers)).hex())


def _stowed(operation: Operation) -> tuple[str, list[JSON], str | None]:
    """The text of an operation, its header, and its value's text where that is large."""
    verb, key, place = operation.verb, operation.key, pointer(operation.path)
    if operation.gone is not None or verb == "remove":
        plain = operation.to_json()
        return canonical(plain), header(plain), None
    text = bounded(operation.text or canonical(operation.value), place)
    name = digest(text)
    said = [verb, place, name.hex(), key]
    if len(text) >= LARGE:
        return canonical([verb, place, reference(name), key, "blob"]), said, text
    tail = f",{canonical(key)}" if key else ""
    return f'["{verb}",{encode_basestring(place)},{text}{tail}]', said, None


def header(item: JSON) -> list[JSON]:
    """What the chain covers of a stored operation: verb, place, digest of the value, key.

    It stays as it was when the value goes for good. Raises `Tampered` where this is no operation.
    """
    match item:
        case ["remove", place]:
            return ["remove", place, None, None]
        case [verb, place, str(name), key, "blob"]:
            return [verb, place, dereference(name).hex(), key]
        case [verb, place, _, key, "redacted" | "pruned", str(name)]:
            return [verb, place, dereference(name).hex(), key]
        case [verb, place, value]:
            return [verb, place, digest(canonical(value)).hex(), None]
        case [verb, place, value, str(key)]:
            return [verb, place, digest(canonical(value)).hex(), key]
    raise Tampered(f"{canonical(item)[:80]} is no operation")


def patch_digest(text: str) -> str:
    """The digest of a stored patch that the chain covers; `Tampered` where the text is not canonical."""
    items = parse_list(text)
    if canonical(items) != text:
        raise Tampered("A stored patch is not in its canonical form")
    return digest(canonical([header(item) for item in items])).hex()


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


def fetched(work: Work, session_id: int, items: Sequence[JSON]) -> Patch:
    """The same for the operations of a stored patch that was parsed already."""
    return patch_from_json([_fetched(work, session_id, item) for item in items])


def fetch_all(work: Work, session_id: int, texts: Sequence[str]) -> Iterator[Operation]:
    """The operations of many stored patches, read at once."""
    for items in parse_list(f"[{','.join(texts)}]"):
        yield from patch_from_json([_fetched(work, session_id, item) for item in items])


def _fetched(work: Work, session_id: int, item: JSON) -> JSON:
    if not (isinstance(item, list) and len(item) == 5 and item[4] == "blob"):
        return item
    verb, path, name, key, _ = item
    if not isinstance(name, str):
        raise Tampered(f"{canonical(item)[:80]} refers to nothing")
    value = parse(get(work, session_id, dereference(name)))
    return [verb, path, value, key] if key else [verb, path, value]


def named(text: str | None) -> Iterator[str]:
    """The texts kept aside that a stored patch, request or side of a conflict names."""
    if text is not None:
        yield from ("".join(found) for found in _kept_aside.findall(text))


def check(work: Work, session_id: int) -> None:
    """Raise `Tampered` for the first text that is not what its digest says."""
    for name, data in work.all(_all, session_id=session_id):
        _checked(bytes(name), unpack_text(data))
