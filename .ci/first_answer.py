"""Start the gateway as README's command 1 does, ask it through the official SDK, say what it took."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import openai

ROOT = Path(__file__).resolve().parent.parent


def megabytes(folder: Path) -> float:
    """Size of a folder on disk."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6


def main() -> None:
    """Ask once."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "STILLHOUSE_HOME": home, "PYTHONUNBUFFERED": "1"}
        begun = time.perf_counter()
        server = subprocess.Popen(
            ["make", "-s", "run", "ARGS=--port 0"],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            url = ""
            for line in server.stdout:
                print("  " + line.rstrip())
                if found := re.match(r"ready\s+(\S+)", line):
                    url = found[1]
                    break
            if not url:
                sys.exit("the gateway did not start")
            started = time.perf_counter() - begun
            with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120) as client:
                answer = client.chat.completions.with_raw_response.create(
                    model="auto", max_tokens=16,
                    messages=[{"role": "user", "content": "What is the capital of France?"}],
                )  # fmt: skip
            answered = time.perf_counter() - begun
            text = answer.parse().choices[0].message.content
            head = answer.headers
            print(f"  answer   {text!r}")
            print(f"  tier     {head['x-stillhouse-tier']} because {head['x-stillhouse-reason']}")
            print(
                f"  took     {started:.1f} s to ready, {answered:.1f} s to the first answer; "
                f"{megabytes(ROOT / '.venv'):.0f} MB installed"
            )
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    main()
