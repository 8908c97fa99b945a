"""The ladder from switching one model for another to a panel."""
