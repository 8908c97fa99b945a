"""What the proposals of a round are worth: comparing, weighing, checking, ruling."""
