"""Output for people: the progress of a running step, and the results of a finished run."""
