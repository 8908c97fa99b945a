"""Where a program that nobody vouches for is run: a process of its own, behind walls."""
