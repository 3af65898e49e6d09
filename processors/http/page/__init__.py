"""The page at `/`: files for a browser, and how they are served."""
