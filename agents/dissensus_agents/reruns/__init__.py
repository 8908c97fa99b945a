"""Running a session again with something changed: the counterfactual, and the repair."""
