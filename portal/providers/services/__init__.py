"""What changes the sign-in providers. Every service but `try_out` runs inside `transaction()`."""

from portal.providers.services.checking import ADDRESSES as ADDRESSES
from portal.providers.services.checking import FIELDS as FIELDS
from portal.providers.services.checking import LONGEST_CAPTION as LONGEST_CAPTION
from portal.providers.services.checking import LONGEST_CLAIM as LONGEST_CLAIM
from portal.providers.services.checking import LONGEST_ISSUER as LONGEST_ISSUER
from portal.providers.services.checking import LONGEST_SECRET as LONGEST_SECRET
from portal.providers.services.checking import LONGEST_SLUG as LONGEST_SLUG
from portal.providers.services.checking import LONGEST_TEXT as LONGEST_TEXT
from portal.providers.services.checking import LONGEST_URL as LONGEST_URL
from portal.providers.services.checking import MARKS as MARKS
from portal.providers.services.checking import RESERVED as RESERVED
from portal.providers.services.checking import ProviderValues as ProviderValues
from portal.providers.services.checking import distrust as distrust
from portal.providers.services.checking import issuer_of as issuer_of
from portal.providers.services.checking import tenant_of as tenant_of
from portal.providers.services.declared import sync as sync
from portal.providers.services.saving import create as create
from portal.providers.services.saving import delete as delete
from portal.providers.services.saving import held_by as held_by
from portal.providers.services.saving import move as move
from portal.providers.services.saving import refuse_declared as refuse_declared
from portal.providers.services.saving import switch as switch
from portal.providers.services.saving import update as update
from portal.providers.services.trying import Finding as Finding
from portal.providers.services.trying import try_out as try_out
