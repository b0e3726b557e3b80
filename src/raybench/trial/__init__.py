"""`raybench try`: should this function be distributed? Look, predict, measure, and a verdict in words."""
