"""What a package of yours could hold: a task with its source, a space, strategies, an estimator, and a primitive."""
