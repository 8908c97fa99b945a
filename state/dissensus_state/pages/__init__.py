"""A session's story as one HTML page that opens offline and loads nothing."""
