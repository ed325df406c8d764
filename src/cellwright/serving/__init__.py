"""A trained model behind HTTP, by ONNX Runtime: `cellwright serve` and the image `serving`. Needs no torch."""
