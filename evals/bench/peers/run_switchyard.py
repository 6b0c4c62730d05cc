"""Hosts NeMo Switchyard's own server: run_switchyard.py CONFIG PORT. Runs in Switchyard's environment, not in ours."""

import signal
import sys

from switchyard_rust.server import Server  # type: ignore[import-not-found]

server = Server(sys.argv[1], int(sys.argv[2]))
signal.sigwait([signal.SIGTERM, signal.SIGINT])
server.close()
