"""Makes artifacts: a checkpoint's ONNX, and what TensorRT or ONNX Runtime make of it on this device."""
