"""The search engine: the loop, screening, the journal, candidates, trials and warm starts."""
