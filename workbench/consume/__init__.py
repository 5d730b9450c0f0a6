"""The consumer's side: what this machine is, which wheel fits it and why, and how it gets there."""
