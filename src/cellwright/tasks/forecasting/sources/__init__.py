"""Where series to forecast are read from."""
