"""Draws ops/dashboard.json without Grafana, with the data of a Prometheus."""
