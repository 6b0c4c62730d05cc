"""Audio, images and files: passed to an upstream that takes them, piece by piece, read by no guard.

So they pass only where the policy says ``unguarded: accepted``. Bodies are not held in memory; the body limit of the
settings counts all the same.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, MutableMapping
from typing import TYPE_CHECKING, Any

from router.errors import (
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    PriceUnknown,
    StillhouseError,
    TooLarge,
    UnsupportedMedia,
)
from router.serve.accept import accept, order
from router.serve.http.exchange import Exchange, Incoming, Receive, until_gone
from router.serve.http.respond import Headers, headers_of
from router.serve.limits.account import enter
from router.serve.limits.admitting import admit
from router.serve.pipeline import deadline_of
from router.serve.recorded import confess
from router.serve.story import Story
from router.upstream.openai import OpenAIUpstream

if TYPE_CHECKING:
    from policies.policy import Policy
    from router.registry.keys import Key
    from router.serve.cell import Cell
    from router.upstream.transport import Response

MEDIA = re.compile(
    r"/v1/(?:(?P<audio>audio/(?:transcriptions|translations|speech))|(?P<images>images/(?:generations|edits|variations))"
    r"|(?P<files>files(?:/[A-Za-z0-9_-]{1,128}(?:/content)?)?))"
)
_KINDS = ("audio", "images", "files")
#: What is said of an answer's body. Everything else of an upstream's head stays with us.
_PASSED = ("content-type", "content-length", "content-disposition")


class Body:
    """The caller's body as it arrives, counted."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self.most = most
        self.too_large = False
        self.gone = False

    async def parts(self) -> AsyncIterator[bytes]:
        """Its pieces. It breaks off where the caller leaves, or sends too much."""
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                raise ConnectionError("the caller left")
            piece: bytes = message.get("body", b"")
            size += len(piece)
            if size > self.most:
                self.too_large = True
                raise ConnectionError("the body is too large")
            if piece:
                yield piece
            if not message.get("more_body"):
                return


async def media(cell: Cell, method: str, incoming: Incoming, receive: Receive, out: Exchange) -> None:
    """Serve one request; ``incoming`` has no body, it is read from ``receive``."""
    story = Story(cell, incoming.request_id, incoming.path)
    most = int(cell.settings.server.max_body_mb * 1024 * 1024)
    body = Body(receive, most)
    response: Response | None = None
    try:
        key = accept(cell, incoming, story, "media")
        await admit(cell, incoming, story, key)
        upstream, policy = _allowed(cell, method, incoming, story, key)
        if cell.limits is not None:
            await enter(cell.limits, key, story)
            _affordable(incoming.path, story)
        sends = method == "POST"
        # A length without its body would make the server take what comes next on the connection, another caller's
        # request, for that body.
        told = _body_headers(incoming, most) if sends else {}
        parts = body.parts() if sends else None
        path = incoming.path.removeprefix("/v1")
        response = await upstream.passed(method, path, told, parts, deadline_of(policy.body.timeouts, story))
        await out.straight_head(response.status, [*_said(response), *headers_of(story, stream=False)])
        async for chunk in response.chunks(policy.body.timeouts.gap):
            await out.straight_part(chunk)
        await out.straight_part(b"", last=True)
        story.delivered = True
    except StillhouseError as error:
        await _refuse(error, body, story, out)
    except asyncio.CancelledError:
        if not story.delivered:
            story.outcome, story.status = "client_gone", 499
        raise
    except Exception as bug:  # noqa: BLE001  (as in the pipeline)
        await confess(bug, story, out)
    finally:
        if response is not None:
            response.close()
        cell.ledger.record(*story.finish())


async def media_with_company(cell: Cell, method: str, incoming: Incoming, receive: Receive, out: Exchange) -> None:
    """The same while watching the caller, from the end of his body on: before it, reading notices that he left."""
    task = asyncio.current_task()
    assert task is not None
    ended = asyncio.Event()

    async def counted() -> MutableMapping[str, Any]:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            ended.set()
        return message

    async def watching() -> None:
        if method == "POST":
            await ended.wait()
        await until_gone(out, task)

    watch = asyncio.ensure_future(watching())
    try:
        await media(cell, method, incoming, counted, out)
    except asyncio.CancelledError:
        if not watch.done():
            raise  # somebody else cancelled us: the server is stopping
        task.uncancel()
    finally:
        watch.cancel()


async def _refuse(error: StillhouseError, body: Body, story: Story, out: Exchange) -> None:
    """Tell what went wrong: what looks like a broken upstream may be a body that we broke off ourselves."""
    if body.gone:
        story.outcome, story.status = "client_gone", 499
        return
    if body.too_large:
        error = _too_large(body.most)
    story.fail(error)
    if out.begun:
        return  # the head has left: that the answer is never ended says the rest
    await out.error(error, headers_of(story, stream=False))


def _allowed(
    cell: Cell, method: str, incoming: Incoming, story: Story, key: Key | None
) -> tuple[OpenAIUpstream, Policy]:
    """The upstream that takes it, and the policy that lets it pass.

    Raises:
        StillhouseError: the key, the policy or the settings do not allow it; the message says which, and what would.
    """
    found = MEDIA.fullmatch(incoming.path)
    kind = next((name for name in _KINDS if found and found[name]), None)
    if found is None or kind is None:
        raise NotFound(f"There is no {incoming.path} here.")
    _check_method(method, incoming.path, kind, shared=cell.keys_on)
    if key is not None and key.models:
        raise Forbidden(f"The API key {key.id} may use some models only, and nobody reads which one is asked for here.")
    policy = order(cell, incoming, story, key, "auto").policy
    if policy.body.unguarded != "accepted":
        words = f"No guard reads {kind}, and the policy {policy.name!r} refuses what is unguarded."
        raise Forbidden(f"{words} It passes where the policy says 'unguarded: accepted'.")
    name = next((each.upstream for each in cell.settings.media if kind in each.serves), None)
    if name is None:
        raise NotFound(f"No upstream here takes {kind}: the operator lists one under 'media' in the settings.")
    upstream = cell.upstreams[name]
    assert isinstance(upstream, OpenAIUpstream), "the settings see to it"
    private = cell.settings.upstreams[name].private
    if not private and any(rule.private for rule in policy.body.rules):
        words = (
            f"The policy {policy.name!r} keeps some requests on private models, and nobody can tell whether this is one"
        )
        raise Forbidden(f"{words}: only a private upstream may take {kind}.")
    return upstream, policy


def _affordable(path: str, story: Story) -> None:
    """Keep what nobody counts from those whose tokens or money are counted. Files cost nothing by the request.

    Raises:
        PriceUnknown: sounds or pictures are asked for.
    """
    if story.account is not None and story.account.meters and not path.startswith("/v1/files"):
        raise PriceUnknown(f"A budget cannot be kept over {path}: nobody here reads what it costs.")


def _check_method(method: str, path: str, kind: str, *, shared: bool) -> None:
    """What may be done with a path.

    Raises:
        MethodNotAllowed: something else.
        Forbidden: it would show one tenant the files of another.
    """
    single = kind == "files" and path.count("/") > 2
    allowed = ("GET", "DELETE") if single and not path.endswith("/content") else ("GET",) if single else ("POST",)
    if kind == "files" and not single and method == "GET":
        if shared:
            raise Forbidden("The listing would show the files of every tenant; ask for a file by its id.")
        return
    if method not in allowed:
        raise MethodNotAllowed(f"{path} takes {' and '.join(allowed)} only.")


def _body_headers(incoming: Incoming, most: int) -> dict[str, str]:
    """What is said of the body.

    Raises:
        BadRequest: its length is no number.
        TooLarge: it says that it is larger than we accept.
        UnsupportedMedia: it is compressed.
    """
    if incoming.headers.get(b"content-encoding", b"identity").lower() not in {b"identity", b""}:
        raise UnsupportedMedia("Send the body uncompressed; content-encoding is not supported here.")
    told: dict[str, str] = {}
    if kind := incoming.headers.get(b"content-type"):
        told["Content-Type"] = kind.decode("latin-1")
    size = incoming.headers.get(b"content-length")
    if size is not None and size != b"0":
        if not size.isdigit():
            raise BadRequest("The header 'content-length' must be a number.", param="content-length")
        if int(size) > most:
            raise _too_large(most)
        told["Content-Length"] = size.decode()
    return told


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is larger than the {most // (1024 * 1024)} MiB this gateway accepts.")


def _said(response: Response) -> Headers:
    return [(name.encode(), value.encode("latin-1", "replace")) for name in _PASSED if (value := response.header(name))]
