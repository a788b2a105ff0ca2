"""Redeeming an invitation: one transaction for every way of signing in."""

from portal.redemption.services.answering import ask as ask
from portal.redemption.services.answering import decline as decline
from portal.redemption.services.entering import BY_PASSKEY as BY_PASSKEY
from portal.redemption.services.entering import BY_PASSWORD as BY_PASSWORD
from portal.redemption.services.entering import NewPerson as NewPerson
from portal.redemption.services.entering import accept as accept
from portal.redemption.services.entering import enter as enter
from portal.redemption.services.entering import register as register
from portal.redemption.services.entering import reopened as reopened
from portal.redemption.services.guessing import guessing as guessing
from portal.redemption.services.providers import Arrival as Arrival
from portal.redemption.services.providers import Verdict as Verdict
from portal.redemption.services.providers import Way as Way
from portal.redemption.services.providers import come_in as come_in
from portal.redemption.services.providers import enter_with as enter_with
from portal.redemption.services.providers import judge as judge
from portal.redemption.services.providers import register_with as register_with
from portal.redemption.services.providers import said_by as said_by
from portal.redemption.services.redeeming import redeem as redeem
from portal.redemption.services.refusing import Refused as Refused
from portal.redemption.services.refusing import refused as refused
