"""What to build. ``from workbench.recipe import Git, Recipe, Sdist, when`` is all that a recipe needs."""

from __future__ import annotations

from workbench.recipe.model import Edition, Git, LocalFolder, Recipe, Sdist, Source, When, when

__all__ = ["Edition", "Git", "LocalFolder", "Recipe", "Sdist", "Source", "When", "when"]
