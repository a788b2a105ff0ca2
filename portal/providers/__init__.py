"""The OpenID Connect and OAuth 2.0 providers through which people sign in."""
