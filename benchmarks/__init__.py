"""What users feel, measured against an engine's plain code and against Keras."""
