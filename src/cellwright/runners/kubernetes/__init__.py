"""Runners whose trials are pods. Only this package imports the Kubernetes client."""
