"""The plan's source: fetched, checked against its pin, unpacked and patched."""
