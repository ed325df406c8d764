"""What people look at: progress while a step works, and what a run found when it is over."""
