"""The e-mail templates that site owners edit in the browser."""
