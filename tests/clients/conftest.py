"""A gateway that real client libraries talk to, unmodified, over a real socket."""

import gc

import pytest

from tests.router.serve.conftest import serve, up  # noqa: F401


@pytest.fixture(autouse=True)
def tidy():
    """Some libraries leave their connections to the garbage collector; collect here, where that is allowed."""
    yield
    gc.collect()
