"""Estimators: what scores architectures without training them in full; a folder for each."""
