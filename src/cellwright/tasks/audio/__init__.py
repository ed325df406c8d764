"""Audio clips of which a class is predicted: samples come in, and the network makes log-mel pictures of them."""
