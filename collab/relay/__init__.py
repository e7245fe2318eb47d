"""Frames between replicas. Only a hint: losing any of them costs time, never an edit.

Begin at ``base``: the ``Relay`` protocol and its contract. ``envelope`` is the bytes, ``memory`` and
``redis`` carry them; ``tests/relay/contract.py`` is what both must pass. Only this package knows Redis.
"""
