"""An embeddings request, and its answer in the encoding that the caller asked for.

SDKs ask for base64 by themselves and read nothing else then; many servers know floats only, some base64 only. So the
answer is checked, one vector an input, all of one length, and turned where its encoding is the other one. Base64 is of
little-endian 32-bit floats.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Literal

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from router.core.wire import MOST_TEXTS, Edit, TextSite, check_json, span, splice, value_of
from router.errors import BadJSON, BadRequest

Encoding = Literal["float", "base64"]


class _Body(msgspec.Struct):
    model: Raw
    input: Raw
    encoding_format: Raw | UnsetType = UNSET
    dimensions: Raw | UnsetType = UNSET


class Embed(msgspec.Struct):
    """A request.

    Attributes:
        body: the caller's bytes.
        model: what is to embed.
        sites: every text. tokens: whether there are tokens besides, which no guard reads.
        encoding: of the answer's vectors.
    """

    body: bytes
    model: str
    sites: list[TextSite]
    tokens: bool
    encoding: Encoding


def read_embed(body: bytes) -> Embed:
    """Read a request.

    Raises:
        BadJSON: two readers could read it differently.
        BadRequest: a field has the wrong shape.
    """
    check_json(body)
    try:
        head = msgspec.json.decode(body, type=_Body)
        model = msgspec.json.decode(head.model, type=str)
        sites, tokens = _inputs(head.input)
    except msgspec.ValidationError:
        raise BadRequest("You must provide a 'model' (a string) and an 'input'.", param="model") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadJSON("The body holds a string that is not valid Unicode.") from None
    _check_dimensions(head.dimensions)
    return Embed(body, model, sites, tokens, _encoding(head.encoding_format))


def _inputs(raw: Raw) -> tuple[list[TextSite], bool]:
    """The texts, and whether there are tokens. What is neither text nor tokens is refused: no guard would read it."""
    first = bytes(memoryview(raw)[:1])
    if first == b'"':
        return [_site(0, raw)], False
    if first != b"[":
        raise BadRequest("'input' must be a string, a list of strings, or tokens.", param="input")
    items = msgspec.json.decode(raw, type=list[Raw])
    if not items:
        raise BadRequest("'input' must not be empty.", param="input")
    if len(items) > MOST_TEXTS and bytes(memoryview(items[0])[:1]) == b'"':
        raise BadRequest(f"'input' holds more than {MOST_TEXTS} texts.", param="input")
    sites: list[TextSite] = []
    tokens = 0
    for i, item in enumerate(items):
        if bytes(memoryview(item)[:1]) == b'"':
            sites.append(_site(i, item))
            continue
        try:
            tokens += isinstance(msgspec.json.decode(item, type=int | list[int]), int)
        except msgspec.ValidationError:
            raise BadRequest(f"'input[{i}]' must be a string or tokens.", param=f"input[{i}]") from None
    if tokens and tokens < len(items):
        raise BadRequest("'input' mixes single tokens with texts or lists of tokens.", param="input")
    return sites, len(sites) < len(items)


def _site(i: int, raw: Raw) -> TextSite:
    return TextSite(f"input[{i}]", "user", msgspec.json.decode(raw, type=str), raw)


def _encoding(raw: Raw | UnsetType) -> Encoding:
    value = None if raw is UNSET else value_of(raw)
    if value is None:
        return "float"
    if value not in ("float", "base64"):
        raise BadRequest("'encoding_format' must be float or base64.", param="encoding_format")
    return "base64" if value == "base64" else "float"


def _check_dimensions(raw: Raw | UnsetType) -> None:
    value = None if raw is UNSET else value_of(raw)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise BadRequest("'dimensions' must be a whole number of at least 1.", param="dimensions")


# --- the answer


class _Vector(msgspec.Struct):
    embedding: Raw


class _Answer(msgspec.Struct):
    data: list[_Vector]


_answer_decoder = msgspec.json.Decoder(_Answer)
_floats_decoder = msgspec.json.Decoder(list[float])
_text_decoder = msgspec.json.Decoder(str)


def told(body: bytes, asked: Embed) -> bytes:
    """The answer as the caller asked for it; its own bytes where nothing is to be turned.

    How many vectors, and how long: that is between the caller and his model, as with everything that passes.

    Raises:
        ValueError: it is not an embeddings answer.
    """
    try:
        vectors = _answer_decoder.decode(body).data
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("not an embeddings answer") from error
    edits: list[Edit] = []
    for vector in vectors:
        turned = _turned(vector.embedding, asked.encoding)
        if turned is not None:
            edits.append(Edit(*span(body, vector.embedding), turned))
    return splice(body, edits) if edits else body


def _turned(raw: Raw, encoding: Encoding) -> bytes | None:
    """A vector's JSON in the wanted encoding; None where it has that already."""
    text = bytes(memoryview(raw)[:1]) == b'"'
    try:
        if text:
            packed = b64decode(_text_decoder.decode(raw), validate=True)
            numbers = np.frombuffer(packed, "<f4")
        else:
            numbers = np.asarray(_floats_decoder.decode(raw), "<f4")
    except (msgspec.MsgspecError, Base64Error, ValueError) as error:
        raise ValueError("not a vector") from error
    if not len(numbers) or not np.isfinite(numbers).all():
        raise ValueError("not a vector")
    if text == (encoding == "base64"):
        return None
    if text:
        return msgspec.json.encode([float(n) for n in numbers])
    return b'"' + b64encode(numbers.tobytes()) + b'"'
