"""What operators see: every log event and every metric, named in one place."""
