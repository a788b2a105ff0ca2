"""Keeps the last few drafts of this browser in its session, for the frame of the preview and the way back."""

import base64
import json
import zlib
from typing import NamedTuple

from flask import session

from portal.email_templates.services import Texts
from portal.kernel.secrets_ import digest

_KEPT, _MOST = "template_drafts", 2


class Draft(NamedTuple):
    """Texts that are not saved. `number` is the version they were made from, `contact_id` whom they are shown as."""

    language: str
    texts: Texts
    contact_id: int | None = None
    number: int = 0


def keep(template_id: int, draft: Draft) -> str:
    """Remember a draft; the answer is its name."""
    packed = json.dumps([template_id, *draft])
    name = digest(packed)[:16]
    others = {key: value for key, value in session.get(_KEPT, {}).items() if key != name}
    newest = dict(list(others.items())[-(_MOST - 1) :])
    session[_KEPT] = {**newest, name: base64.b85encode(zlib.compress(packed.encode())).decode()}
    return name


def kept(name: str, template_id: int) -> Draft | None:
    """The draft of this name, or None once others followed it."""
    packed = session.get(_KEPT, {}).get(name)
    if packed is None:
        return None
    owner, language, texts, contact_id, number = json.loads(zlib.decompress(base64.b85decode(packed)))
    return Draft(language, Texts(*texts), contact_id, number) if owner == template_id else None
