"""Many builds: objects kept, memory admitted, a journal, many machines."""
