"""Steps that no spec names: the planner puts them in where the graph needs them."""
