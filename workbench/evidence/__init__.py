"""How a wheel was made: the record beside it, bill of materials, statement, signatures, verdict."""
