"""What to build. ``from workbench.recipe import Git, Recipe, Sdist, when`` is all that a recipe needs."""

from __future__ import annotations

from workbench.recipe.model import Git, LocalFolder, Recipe, Sdist, Source, When, when

__all__ = ["Git", "LocalFolder", "Recipe", "Sdist", "Source", "When", "when"]
