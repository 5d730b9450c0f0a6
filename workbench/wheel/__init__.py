"""Everything about a wheel as a file: name, whom it serves, zip, RECORD, ELF, GPU code. No tool of CUDA is needed."""
