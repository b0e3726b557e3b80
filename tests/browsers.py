"""Names under which a headless browser may be on the path."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
