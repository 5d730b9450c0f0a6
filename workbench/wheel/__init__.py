"""What is in a binary: its dependencies and its GPU code, read without CUDA's tools."""
