"""How a wheel was made: the record beside it."""
