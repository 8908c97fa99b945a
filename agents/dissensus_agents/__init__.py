"""Models as agents: proposals, disagreement, supervision, and the graph that runs them."""
