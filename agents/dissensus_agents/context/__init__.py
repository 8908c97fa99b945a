"""How a prompt fits its model: what of it is shown, and how it is written."""
