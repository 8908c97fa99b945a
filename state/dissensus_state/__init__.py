"""The versioned, transactional state that several models share, and its history."""
