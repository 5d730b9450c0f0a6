"""What to build. ``from workbench.recipe import Recipe, Sdist, Git`` is all that a recipe needs."""

from __future__ import annotations

from workbench.recipe.model import Git, LocalFolder, Recipe, Sdist, Source

__all__ = ["Git", "LocalFolder", "Recipe", "Sdist", "Source"]
