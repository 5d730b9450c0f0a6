"""A source tree made into a raw wheel."""
