"""Hosts NeMo Switchyard's own server: run_switchyard.py CONFIG PORT. Runs in Switchyard's environment, not in ours."""

import signal
import sys


def main() -> None:
    """Serve until told to stop."""
    from switchyard_rust.server import Server  # type: ignore[import-not-found]

    server = Server(sys.argv[1], int(sys.argv[2]))
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    server.close()


if __name__ == "__main__":
    main()
