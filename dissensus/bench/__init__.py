"""`dissensus bench`: a task file over models and patterns, graded, with what each costs."""
