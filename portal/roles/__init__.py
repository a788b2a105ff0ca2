"""Web roles: named permission sets on the site."""
