"""From raw lines to numbers with intervals."""
