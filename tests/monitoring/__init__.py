"""Dashboards and alerts with a real Prometheus, which scrapes two operators at a real API server: `make monitoring`."""
