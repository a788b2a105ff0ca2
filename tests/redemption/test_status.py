"""Who may redeem: the whole table of facts."""

from itertools import product

import pytest

from portal.redemption.status import Facts, Standing, standing

ANNA, BEN = 1, 2
BY_CODE = {"single": False, "by_link": False, "meant": None}


def facts(**more: object) -> Facts:
    values = {"single": True, "anyone": False, "by_link": True, "meant": ANNA, "meant_has_sign_in": False}
    values |= {"meant_verified": False, "person": None, "person_invited": False, "person_redeemed": False}
    return Facts(**{**values, **more})  # type: ignore[arg-type]


REFUSED = [
    ("somebody else, Single by link", {"person": BEN}, Standing.WRONG_PERSON),
    ("somebody else, Single by link, anyone by code", {"person": BEN, "anyone": True}, Standing.WRONG_PERSON),
    ("somebody else, Single by code", {"person": BEN, "by_link": False}, Standing.WRONG_PERSON),
    ("not invited, Group by link", {"person": BEN, "single": False}, Standing.NOT_INVITED),
    ("not invited, Group by code", {**BY_CODE, "person": BEN}, Standing.NOT_INVITED),
    ("stranger, Group for the invited by code", BY_CODE, Standing.USE_LINK),
    ("has a sign-in with a confirmed address", {"meant_has_sign_in": True, "meant_verified": True}, Standing.SIGN_IN),
    ("has a sign-in, typed code", {"meant_has_sign_in": True, "by_link": False}, Standing.SIGN_IN),
]
ALLOWED = [
    ("the right person", {"person": ANNA}, Standing.ACCEPT),
    ("anyone by code, Single", {"person": BEN, "anyone": True, "by_link": False, "meant": None}, Standing.ACCEPT),
    ("anyone, Group by another's link", {"person": BEN, "anyone": True, "single": False}, Standing.ACCEPT),
    ("invited too, Group by another's link", {"person": BEN, "person_invited": True, "single": False}, Standing.ACCEPT),
    ("again", {"person": ANNA, "person_redeemed": True}, Standing.ALREADY),
    ("no sign-in yet, by link", {}, Standing.SIGN_UP),
    ("no sign-in yet, by code", {"by_link": False}, Standing.SIGN_UP),
    ("stranger, anyone by code", {"anyone": True, "by_link": False, "meant": None}, Standing.SIGN_UP),
    ("never confirmed, by link", {"meant_has_sign_in": True}, Standing.REPLACE),
]


@pytest.mark.parametrize(("what", "given", "expected"), REFUSED + ALLOWED, ids=[case[0] for case in REFUSED + ALLOWED])
def test_how_somebody_stands(what: str, given: dict[str, object], expected: Standing) -> None:
    assert standing(facts(**given)) is expected


def test_a_sign_in_is_replaced_only_by_link_and_only_where_the_address_was_never_confirmed() -> None:
    for single, anyone, by_link, has, verified in product((True, False), repeat=5):
        found = standing(
            facts(single=single, anyone=anyone, by_link=by_link, meant_has_sign_in=has, meant_verified=verified)
        )
        assert (found is Standing.REPLACE) == (has and by_link and not verified)


def test_whoever_is_signed_in_is_never_asked_for_a_new_sign_in() -> None:
    for single, anyone, by_link, invited, redeemed in product((True, False), repeat=5):
        person = {"person": BEN, "person_invited": invited, "person_redeemed": redeemed}
        found = standing(facts(single=single, anyone=anyone, by_link=by_link, **person))
        assert found not in (Standing.SIGN_UP, Standing.REPLACE, Standing.SIGN_IN, Standing.USE_LINK)
