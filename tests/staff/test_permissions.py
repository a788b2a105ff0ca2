import pytest

from portal.kernel.actor import SYSTEM, Actor
from portal.staff.permissions import HOLDS, Permission, StaffActor, StaffRole, may_grant

TABLE = {
    "view": "owner manager editor viewer",
    "manage_contacts": "owner manager",
    "create": "owner manager",
    "send": "owner manager",
    "show_codes": "owner manager",
    "grant": "owner manager",
    "manage_roles": "owner",
    "read_messages": "owner manager",
    "edit_templates": "owner editor",
    "edit_workflows": "owner editor",
    "manage_settings": "owner",
    "manage_staff": "owner",
    "read_journal": "owner",
    "set_passwords": "owner",
}


@pytest.mark.parametrize("permission", list(Permission))
@pytest.mark.parametrize("role", list(StaffRole))
def test_each_role_holds_what_the_table_says_and_nothing_else(role: StaffRole, permission: Permission) -> None:
    may = StaffActor(id=1, name="Somebody", role=role).may(permission)
    assert may == (role in TABLE[permission].split())


def test_nobody_else_holds_anything() -> None:
    assert set(HOLDS) == set(StaffRole)
    for permission in Permission:
        assert not StaffActor(id=1, name="Somebody", role="root").may(permission)
        assert not Actor("contact", 1, "Somebody").may(permission)
        assert not SYSTEM.may(permission)


@pytest.mark.parametrize(
    ("role", "ticked", "granted"),
    [
        ("owner", False, True),
        ("owner", True, True),
        ("manager", False, False),
        ("manager", True, True),
        ("editor", True, False),
        ("viewer", True, False),
        ("", True, False),
    ],
)
def test_a_web_role_is_given_by_owners_and_where_ticked_by_managers(role: str, ticked: bool, granted: bool) -> None:
    assert may_grant(role, managers_may_grant=ticked) == granted
