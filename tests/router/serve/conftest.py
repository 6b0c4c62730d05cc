"""A gateway in front of a scripted server, three tiers, no guards unless a test brings a policy."""

import contextlib

import pytest
import pytest_asyncio

from router.serve.settings import (
    EmbeddingSettings,
    PriceSettings,
    ServerSettings,
    Settings,
    TierSettings,
    UpstreamSettings,
)
from tests.support.gateway import gateway
from tests.support.upstream import ScriptedUpstream

PLAIN = """
stillhouse: 1
name: plain
quality: {keep: 0.9}
timeouts: {connect: 1.0, first_byte: 2.0, gap: 1.0, total: 5.0}
"""


def settings_for(up, policies, **server):
    tiers = tuple(
        TierSettings(tier=t, upstream="up", model=f"m-{t}", price=PriceSettings(input=i, output=o))
        for t, i, o in (("small", 0.1, 0.2), ("medium", 0.5, 1.0), ("large", 2.0, 6.0))
    )
    return Settings(
        server=ServerSettings(**server),
        upstreams={"up": UpstreamSettings(kind="openai", base_url=up.base_url)},
        tiers=tiers,
        embeddings=(EmbeddingSettings(model="embed", upstream="up"),),
        policies=policies,
    )


@pytest.fixture
async def up():
    """The scripted server behind the gateway."""
    async with ScriptedUpstream() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_up():
    """A scripted server for all tests of a module; each finds it without a script and without a memory."""
    async with ScriptedUpstream() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway(shared_up, tmp_path_factory):
    """A gateway for all tests of a module that change nothing of it."""
    home = tmp_path_factory.mktemp("shared")
    (home / "plain.yaml").write_text(
        PLAIN.replace("first_byte: 2.0, gap: 1.0, total: 5.0", "first_byte: 0.5, gap: 0.5, total: 1.5")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLHOUSE_HOME", str(home))
        patch.setattr("router.serve.app.RELOAD_SECONDS", 3600)  # each test has another home, which is not this one's
        async with gateway(settings_for(shared_up, (str(home / "plain.yaml"),), max_body_mb=1), home) as gw:
            yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def gw(shared_gateway, shared_up):
    """The shared gateway, with everything of earlier tests forgotten."""
    shared_up.forget()
    yield shared_gateway
    shared_up.forget()


@pytest.fixture
async def serve(up, home):
    """Start a gateway with the policies given as YAML; the first is the default."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*texts, change=lambda settings: settings, cell=lambda cell: None, **server):
            paths = []
            for i, text in enumerate(texts or (PLAIN,)):
                path = home / f"policy{i}.yaml"
                path.write_text(text)
                paths.append(str(path))
            settings = change(settings_for(up, tuple(paths), **server))
            return await stack.enter_async_context(gateway(settings, home, cell))

        yield start
