"""Limits under a kill storm: bare cells on one store (``bare``), and whole gateways through HTTP (``gateways``)."""
