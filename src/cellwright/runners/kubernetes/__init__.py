"""Runners whose trials are pods. The one place that imports the client of Kubernetes, and nothing else needs to."""
