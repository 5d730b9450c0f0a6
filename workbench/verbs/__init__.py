"""What the verbs do: each module joins the steps of the flow for one of them and returns a value to print."""
