"""For drivers in Python: run each case, print one JSON line for it. Knows nothing but the standard library."""

import asyncio
import importlib.metadata
import inspect
import json
import sys
import traceback

SECONDS = 60
URL = sys.argv[1] if len(sys.argv) > 1 else ""


def about(package):
    """Say which version speaks."""
    print(json.dumps({"client": package, "version": importlib.metadata.version(package)}), flush=True)


def run(*cases):
    """Run functions one after another in one loop; a failure is told and does not stop the next."""
    asyncio.run(_all(cases))


async def _all(cases):
    for case in cases:
        line = {"case": case.__name__.replace("_", " "), "ok": True}
        try:
            if inspect.iscoroutinefunction(case):
                await asyncio.wait_for(case(), SECONDS)
            else:
                await asyncio.wait_for(asyncio.to_thread(case), SECONDS)
        except Exception as error:
            line |= {"ok": False, "why": traceback.format_exception_only(error)[-1].strip()[:400]}
        print(json.dumps(line), flush=True)


def same(got, wanted):
    """Assert that two are equal, and say both where they are not."""
    assert got == wanted, f"{got!r} is not {wanted!r}"
