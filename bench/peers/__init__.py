"""The servers that collab is compared with: their pinned versions, and how they are installed."""
