"""Every test has a home of its own; nothing of the machine's leaks in."""

import os

# As the command does, and before anything else imports numpy: small matrices gain nothing by threads and pay for them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import pytest
import threadpoolctl

from tests.postgres import postgres_dsn, postgres_server  # noqa: F401  (fixtures for all modules)

# How long one example takes says something about the machine only. CI asks the same examples every time, so that a
# change is judged by what it changed; new ones are looked for on the machines of those who write them.
hypothesis.settings.register_profile("ours", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("ours")

threadpoolctl.threadpool_limits(1, "blas")  # a plugin of pytest's was earlier with numpy

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A fresh STILLHOUSE_HOME, and no provider key from outside."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("STILLHOUSE_HOME", str(folder))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder
