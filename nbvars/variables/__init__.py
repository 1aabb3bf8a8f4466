"""Variables and the collections they join."""
