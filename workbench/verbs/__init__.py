"""The commands, a module for each group of them: it reads words, calls one function of a step, prints the answer."""
