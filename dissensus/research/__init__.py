"""Ready-made sessions, and the demo."""
