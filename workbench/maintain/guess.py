"""A field of a recipe that its source tells, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.recipe.model import When


@dataclass(frozen=True, slots=True)
class Guess:
    """A `value` for a field of a recipe; `evidence` says in a line or two where the source tells it."""

    field: str
    value: str | float | tuple[str, ...] | dict[str, str | When]
    evidence: tuple[str, ...] = ()

    def plain(self) -> object:
        """Return the value in plain form: of a conditional one its value and its conditions."""
        if not isinstance(self.value, dict):
            return list(self.value) if isinstance(self.value, tuple) else self.value
        return {
            name: {"value": one.value, "compute": one.compute} if isinstance(one, When) else one
            for name, one in self.value.items()
        }
