"""The source of audio clips."""
