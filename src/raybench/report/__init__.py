"""From raw data to RESULTS.md, figures and the HTML page: a pure function, the same bytes every time."""
