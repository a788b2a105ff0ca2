"""Organisations that contacts belong to."""
