"""A request becomes verified wheels."""
