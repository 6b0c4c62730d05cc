"""Hosts the gateway that TensorZero's wheel embeds: run_tensorzero.py CONFIG FILE.

Its port is its choice: the address is written to FILE. Runs in TensorZero's environment, not in ours.
"""

import asyncio
import inspect
import signal
import sys
from pathlib import Path
from typing import Any


async def start() -> Any:
    """The running server; it ends with its object."""
    import tensorzero.tensorzero as wheel  # type: ignore[import-not-found]

    made = wheel._start_http_gateway(  # noqa: SLF001
        config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
    )
    return await made if inspect.isawaitable(made) else made


def main() -> None:
    """Serve until told to stop."""
    server = asyncio.run(start())
    Path(sys.argv[2]).write_text(server.base_url)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])


if __name__ == "__main__":
    main()
