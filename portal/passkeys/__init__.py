"""Passkeys (WebAuthn) of contacts and of staff members."""
