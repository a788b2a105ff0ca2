"""The Flask extensions, made once and bound to the app by the composition root."""

from flask_babel import Babel
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_wtf import CSRFProtect

babel = Babel()
csrf = CSRFProtect()
login = LoginManager()
migrate = Migrate()
