"""What a WSGI server loads."""

from portal.app import create_app
from portal.web import logs

logs.configure()
app = create_app()
