"""Containers: the engine, the images, and one wheel built in one of them by cibuildwheel."""
