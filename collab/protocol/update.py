"""The guard: a complete structural reading of a Yjs update (v1) before anything else sees its bytes."""
