"""What is published: ``packages.json``."""
