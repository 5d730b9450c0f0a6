"""The life of a recipe: created from a source."""
