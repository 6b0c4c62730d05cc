import asyncio
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.upstream.local_frames import MAX_PAYLOAD, Frame, Kind, pack, read, receive

frames = st.lists(st.builds(Frame, st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=200)))


@given(sent=frames)
def test_what_is_packed_is_read_from_a_blocking_pipe(sent: list[Frame]) -> None:
    pipe = io.BytesIO(b"".join(pack(*frame) for frame in sent))
    assert list(iter(lambda: read(pipe), None)) == sent


@given(sent=frames)
def test_what_is_packed_is_received_by_the_loop(sent: list[Frame]) -> None:
    async def receive_all() -> list[Frame]:
        reader = asyncio.StreamReader()
        reader.feed_data(b"".join(pack(*frame) for frame in sent))
        reader.feed_eof()
        return [await receive(reader) for _ in sent]

    assert asyncio.run(receive_all()) == sent


def test_a_pipe_that_ends_inside_a_frame_has_ended() -> None:
    assert read(io.BytesIO(pack(Kind.ASK, 1, b"question")[:-1])) is None
    assert read(io.BytesIO(pack(Kind.ASK, 1, b"question")[:3])) is None


@pytest.mark.parametrize(
    "head",
    [
        pytest.param((MAX_PAYLOAD + 1).to_bytes(4, "big") + bytes(4) + b"\x02", id="too large"),
        pytest.param(bytes(8) + b"\xff", id="an unknown kind"),
    ],
)
def test_what_is_no_frame_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"larger|Kind"):
        read(io.BytesIO(head))
