"""``release`` as one list of steps: make, publish, prove."""
