"""A session's recordings as one file: written, read, and answered from."""
