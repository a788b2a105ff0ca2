"""Running the portal: bringing the database up to date, serving the pages, working, watching over both."""
