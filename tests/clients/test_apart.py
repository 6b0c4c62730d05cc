"""Real clients that need an environment of their own: `make clients` builds them from lock files.

Where one is not built its check is reported as skipped: not run, never passed.
"""

import asyncio
from pathlib import Path

import pytest

pytestmark = pytest.mark.clients

HERE = Path(__file__).parent
BUILT = HERE.parent.parent / ".clients"


async def run(*command, cwd=None):
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, out.decode()
    assert out.startswith(b"ok")


@pytest.mark.skipif(not (BUILT / "openai3/bin/python").exists(), reason="not run: 'make clients' has not been run")
async def test_openai_python_3(serve):
    gw = await serve()
    await run(str(BUILT / "openai3/bin/python"), str(HERE / "openai3/use.py"), gw.base_url)


@pytest.mark.skipif(
    not (BUILT / "node/node_modules/openai").exists(), reason="not run: 'make clients' has not been run"
)
async def test_openai_node(serve):
    gw = await serve()
    await run("node", "use.mjs", gw.base_url, cwd=BUILT / "node")


@pytest.mark.skipif(
    not (BUILT / "schemathesis/bin/schemathesis").exists(), reason="not run: 'make clients' has not been run"
)
async def test_what_we_describe_is_what_we_answer(serve):
    """Schemathesis asks what our own description allows and forbids: no 5xx, no status that is not named there."""
    gw = await serve()
    process = await asyncio.create_subprocess_exec(
        str(BUILT / "schemathesis/bin/schemathesis"), "run", gw.url + "/openapi.json", "--seed", "1", "--no-color",
        "--checks", "not_a_server_error,status_code_conformance", "--phases", "examples,coverage",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 110)
    assert process.returncode == 0, out.decode()[-3000:]
