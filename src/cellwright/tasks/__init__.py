"""What comes in and what is predicted: a folder for each kind of task."""
