"""Events come out the same wherever the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import UpstreamInvalid
from router.upstream.sse import MAX_EVENT_BYTES, EventDecoder

STREAM = 'data: {"a":"한글 🙂"}\n\n: keep-alive\n\ndata:no space\n\nevent: x\ndata: one\ndata: two\n\ndata:\n\ndata: [DONE]\n\ndata: after\n\n'.encode()
EVENTS = ['{"a":"한글 🙂"}'.encode(), b"no space", b"one two"]


def decode(chunks):
    decoder = EventDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events, decoder


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_every_cut_gives_the_same_events(newline):
    stream = STREAM.replace(b"\n", newline)
    for cut in range(len(stream) + 1):
        events, decoder = decode([stream[:cut], stream[cut:]])
        assert events == EVENTS, cut
        assert decoder.done


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_many_cuts_give_the_same_events(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    events, _ = decode([STREAM[a:b] for a, b in zip(edges, edges[1:], strict=False)])
    assert events == EVENTS


def test_a_stream_that_breaks_off_inside_an_event_is_unfinished():
    events, decoder = decode([b"data: a\n\ndata: b\n"])
    assert events == [b"a"]
    assert decoder.unfinished
    assert not decoder.done


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 65_536, b"data: " + b"x" * 65_536 + b"\n", b"x" * 65_536])
def test_an_event_without_end_is_refused(piece):
    decoder = EventDecoder()
    with pytest.raises(UpstreamInvalid):
        for _ in range(MAX_EVENT_BYTES // 65_536 + 1):
            assert decoder.feed(piece) == []
