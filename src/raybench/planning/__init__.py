"""From a Study to the jobs of its blocks."""
