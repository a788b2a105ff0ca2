from typing import Any

from flask import Flask

from portal.kernel.db import db, transaction
from portal.kernel.secrets_ import new_ring
from portal.settings import services
from portal.settings.models import KeyInUse
from portal.settings.queries import ring


def check() -> str | None:
    with transaction():
        return services.check_keys()


def in_use() -> set[str]:
    return set(db.session.scalars(db.select(KeyInUse.key_id)))


def test_the_current_key_is_noted_once(app: Flask) -> None:
    assert check() is None
    assert check() is None
    assert in_use() == {ring().current}


def test_a_key_that_is_gone_is_a_fault_that_names_it_and_notes_nothing(app: Flask) -> None:
    with transaction():
        db.session.add(KeyInUse(key_id="k-lost"))
    fault = check()
    assert fault is not None
    assert "k-lost" in fault
    assert "\n" not in fault
    assert in_use() == {"k-lost"}


def test_a_rotated_ring_that_kept_the_old_key_is_fine(app: Flask, make_app: Any) -> None:
    import json
    from base64 import b64encode

    check()
    old, new = ring(), new_ring()
    keys = {name: b64encode(key).decode() for name, key in {**old.keys, **new.keys}.items()}
    other = make_app(PORTAL_KEYS=json.dumps({"current": new.current, "keys": keys}))
    with other.app_context():
        assert check() is None
        assert in_use() == {old.current, new.current}
    assert str(check()).count(new.current) == 1
