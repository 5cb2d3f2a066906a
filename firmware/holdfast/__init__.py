"""Holdfast: an OCPP 2.0.1 charging-station agent. Start at agent.py (the edge) or station.py (the core)."""

__version__ = "0.1.0"
