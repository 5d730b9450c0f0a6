"""How much memory a build may take: what is free, what it took before, and who else is building on this machine."""
