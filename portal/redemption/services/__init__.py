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
from portal.redemption.services.redeeming import redeem as redeem
from portal.redemption.services.refusing import Refused as Refused
from portal.redemption.services.refusing import refused as refused
