"""Which addresses are accepted, and when two are the same."""

import pytest

from portal.kernel import addresses
from portal.kernel.addresses import BadAddress, canonical, parse

REFUSED = [
    "",
    " ",
    "anna",
    "@example.org",
    "anna@",
    "anna@@example.org",
    "anna@example..org",
    "anna@-example.org",
    "anna@example.org,bob@example.org",
    "anna@example.org;bob@example.org",
    "anna@example.org bob@example.org",
    "anna,bob@example.org",
    "anna;bob@example.org",
    "Anna <anna@example.org>",
    "<anna@example.org>",
    '"anna"@example.org',
    '"anna@evil.example,"@example.org',
    '"a b"@example.org',
    "anna(comment)@example.org",
    "anna@(comment)example.org",
    "anna@example.org(comment)",
    "anna@[127.0.0.1]",
    "anna@[IPv6:::1]",
    "anna@example.org\nBcc: bob@example.org",
    "anna@example.org\r\nbob@example.org",
    "anna\r\n@example.org",
    "anna\0@example.org",
    "anna@exa\0mple.org",
    "anna\x7f@example.org",
    "anna\x85@example.org",
    "anna\u2028@example.org",
    "anna\u2029@example.org",
    "anna\\@example.org",
    "list:anna@example.org;",
    "anna@example.org:25",
    "anna@exa mple.org",
    "an na@example.org",
    ".anna@example.org",
    "anna.@example.org",
    "an..na@example.org",
    "anna@example.org\u200b",
    "\u202egro.elpmaxe@anna",
    "a" * 65 + "@example.org",
    "anna@" + "a" * 64 + ".org",
    "anna@" + ".".join(["a" * 60] * 5) + ".org",
]


@pytest.mark.parametrize("typed", REFUSED, ids=ascii)
def test_anything_but_one_plain_address_is_refused(typed: str) -> None:
    with pytest.raises(BadAddress):
        parse(typed)


def test_a_domain_too_long_in_its_mailed_form_is_refused() -> None:
    domain = ".".join(["ü" * 40] * 5)
    with pytest.raises(BadAddress):
        parse(f"anna@{domain}.example")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("anna@example.org", "anna@example.org"),
        ("  anna@example.org\t", "anna@example.org"),
        ("Anna.Weber+news@Example.ORG", "Anna.Weber+news@example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
        ("a!#$%&*+-/=?^_`{|}~b@example.org", "a!#$%&*+-/=?^_`{|}~b@example.org"),
        ("anna@müller.example", "anna@xn--mller-kva.example"),
        ("anna@XN--MLLER-KVA.example", "anna@xn--mller-kva.example"),
        ("mıke@example.org", "mıke@example.org"),
        ("用户@例え.テスト", "用户@xn--r8jz45g.xn--zckzah"),
    ],
    ids=ascii,
)
def test_one_plain_address_is_stored_as_it_will_be_mailed(typed: str, stored: str) -> None:
    assert parse(typed) == stored


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.org", "anna@EXAMPLE.ORG"),
        ("anna@müller.example", "anna@xn--mller-kva.example"),
        ("anna@MÜLLER.example", "anna@müller.example"),
        ("anna@mu\u0308ller.example", "anna@m\u00fcller.example"),
        ("anna@example\u3002org", "anna@example.org"),
    ],
    ids=ascii,
)
def test_spellings_of_one_mailbox_are_the_same(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mıke@example.org", "mike@example.org"),
        ("MİKE@example.org", "mike@example.org"),
        ("mike@examp\u0131e.org", "mike@example.org"),
        ("\u017fam@example.org", "sam@example.org"),
        ("\u212aim@example.org", "kim@example.org"),
        ("stra\u00dfe@example.org", "strasse@example.org"),
        ("a@stra\u00dfe.example", "a@strasse.example"),
        ("\uff41nna@example.org", "anna@example.org"),
        ("Ünal@example.org", "ünal@example.org"),
        ("anna+a@example.org", "anna@example.org"),
        ("an.na@example.org", "anna@example.org"),
    ],
    ids=ascii,
)
def test_mailboxes_that_only_look_alike_are_not_the_same(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    "typed",
    ["Anna@Example.org", "anna@müller.example", "a@straße.example", "用户@例え.テスト", "mıke@x.example"],
    ids=ascii,
)
def test_the_canonical_form_of_what_is_typed_and_of_what_is_stored_agree(typed: str) -> None:
    assert canonical(typed) == canonical(parse(typed)) == canonical(canonical(typed))


@pytest.mark.parametrize("text", ["", "@", "nobody", "a@b@c", "a@" + "x" * 300, "a@..", "\0@\0"], ids=ascii)
def test_the_canonical_form_of_nonsense_is_no_error(text: str) -> None:
    assert "@" in canonical(text)


def test_the_longest_address_still_fits() -> None:
    longest = "a" * 64 + "@" + ".".join(["b" * 60, "c" * 60, "d" * 60]) + ".org"
    assert len(parse(longest)) <= addresses.LONGEST
