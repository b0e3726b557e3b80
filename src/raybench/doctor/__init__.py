"""Is this machine fit and quiet: findings, each with what to do about it."""
