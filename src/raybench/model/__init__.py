"""What is planned, measured and estimated, and the pure functions over it; imports nothing else of raybench."""
