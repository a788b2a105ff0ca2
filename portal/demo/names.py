"""Invented people and organisations for the demonstration; every address is under example.org or example.com."""

FIRST = (
    "Anna", "Bilal", "Chiara", "Daniel", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Lars", "Maya",
    "Nadia", "Omar", "Paula", "Quentin", "Rosa", "Samir", "Tilda", "Uwe", "Vera", "Wiktor", "Xenia", "Yusuf", "Zoe",
)  # fmt: skip
LAST = (
    "Weber", "Haddad", "Rossi", "Novak", "Demir", "Karimi", "Lindqvist", "Moreau", "Almeida", "Becker", "Tanaka",
    "Nielsen", "Sharma", "Petrov", "Hassan", "Schmid", "Dubois", "Fernandez", "Aziz", "Berg", "Keller", "Marini",
    "Kowalski", "Papadaki", "Yilmaz", "Brandt", "Okafor", "Silva", "O'Neill",
)  # fmt: skip
ORGANISATIONS = (
    "Alpine Freight", "Baltic Timber", "Cedar & Sons", "Delta Optics", "Elbe Shipping", "Fjord Foods", "Granite Works",
    "Harbour Lights", "Iris Laboratories", "Juniper Textiles", "Kestrel Aviation", "Lumen Energy",
)  # fmt: skip


def person(number: int) -> tuple[str, str]:
    """First and last name of the person with this number; after 754 of them names repeat."""
    return FIRST[number % len(FIRST)], LAST[(number * 7 + number // len(FIRST)) % len(LAST)]


def address(number: int) -> str:
    """The address of the person with this number; no two share one."""
    first, last = person(number)
    local = f"{first}.{last}".lower().replace("'", "")
    return f"{local}.{number}@example.org" if number >= 100 else f"{local}@example.com"
