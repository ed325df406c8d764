"""Tasks, which define inputs and targets. Each kind has its own folder.

The sections of tasks and of their sources need no torch.
"""
