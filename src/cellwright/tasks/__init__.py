"""What comes in and what is predicted: a folder for each kind of task.

A task's `section`, and the sections of its sources, need no torch.
"""
