"""HTTP furniture that every slice's pages share."""
