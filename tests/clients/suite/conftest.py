"""One gateway for all cases of a file; each case finds the scripted server as new."""

import pytest

from tests.router.serve.conftest import gw, serve, shared_gateway, shared_up, up  # noqa: F401


@pytest.fixture(autouse=True)
def tidy():
    """Nothing to tidy up: no client library is at work here."""
