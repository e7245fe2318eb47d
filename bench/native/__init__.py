"""The programs in C: the load generator and the floor."""
