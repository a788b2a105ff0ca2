"""What still refers to a record, found through the foreign keys, so that a lower slice can refuse to delete it."""

from sqlalchemy import func, select

from portal.kernel.db import Base, db


def holding(table: str, record_id: int) -> dict[str, int]:
    """How many rows of each table refer to the record; tables with none are left out."""
    found: dict[str, int] = {}
    for other in Base.metadata.sorted_tables:
        for key in other.foreign_keys:
            if key.column.table.name == table:
                held = select(func.count()).select_from(other).where(key.parent == record_id)
                found[other.name] = found.get(other.name, 0) + (db.session.scalar(held) or 0)
    return {name: rows for name, rows in found.items() if rows}
