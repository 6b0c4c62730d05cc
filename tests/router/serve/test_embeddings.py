"""Embeddings through the gateway, for callers of either encoding and for the real SDK."""

import openai
import pytest

from tests.support.upstream import Answer, embeddings
from tests.support.wire import dump

# connections that the SDK itself leaves to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
BODY = {"model": "embed", "input": ["a", "b"]}


@pytest.mark.parametrize(("encoding", "kind"), [("float", list), ("base64", str)])
async def test_vectors_come_in_the_encoding_that_was_asked_for(serve, up, encoding, kind):
    gw = await serve()
    up.script(Answer.json(embeddings(2)))
    answer = await gw.http.post("/v1/embeddings", json={**BODY, "encoding_format": encoding, "dimensions": 4})
    assert [type(row["embedding"]) for row in answer.json()["data"]] == [kind, kind]
    assert up.requests[0].json["dimensions"] == 4


async def test_the_sdk_reads_them(serve, up):
    gw = await serve()
    async with openai.AsyncOpenAI(base_url=gw.base_url, api_key="none", max_retries=0) as sdk:
        for server in (embeddings(2), embeddings(2, dimensions=20_000)):  # the second is turned beside the loop
            up.script(Answer.raw(dump(server)))
            assert [row.embedding[0] for row in (await sdk.embeddings.create(**BODY)).data] == [0.5, 1.5]


async def test_an_answer_that_does_not_fit_is_the_upstreams_fault(serve, up):
    gw = await serve()
    up.script(Answer.json({"object": "list", "data": [{"index": 0, "embedding": "!!"}]}))
    wrong = await gw.http.post("/v1/embeddings", json=BODY)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (502, "upstream_invalid")
