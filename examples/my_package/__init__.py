"""What a package of yours could hold: a primitive, and a search space with its networks."""
