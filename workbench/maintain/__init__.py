"""The life of a recipe: created from a source, its patches worked on, moved to new versions."""
