"""One large run and its page, made once for all that look at it."""

import pytest

from evals.reports import html
from tests.support.runs import write_pair


@pytest.fixture(scope="package")
def runs(tmp_path_factory):
    """A run of 10,000 items and the run before it."""
    return write_pair(tmp_path_factory.mktemp("runs"), 2500)


@pytest.fixture(scope="package")
def page(runs):
    """Its page."""
    return html.page(runs[0])
