"""The health of a store: doctor, reconcile, prune."""
