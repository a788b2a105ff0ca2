"""Background work: a table of jobs, claimed by lease."""
