"""One elastic network, out of which networks for several targets are cut."""
