"""The short forms in the store: numbers of names and of keys (product, site, supplier), bytes of ids."""

from collections.abc import Iterable

from services.ledger.books.lines import Key
from services.ledger.store.database import Database, WritableDatabase
from shared.wire.streams import is_plan_stream


class NameTable(dict[str | None, int]):
    """The number of each stored name; `texts` has the names by number."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.texts: dict[int, str] = dict(database.query("SELECT id, name FROM names"))
        self.update((name, number) for number, name in self.texts.items())

    def plan_streams(self) -> str:
        """Return the numbers of the planners' streams, as SQL lists them."""
        return ", ".join(str(number) for number, name in self.texts.items() if is_plan_stream(name)) or "-1"


class KeyTable(dict[Key, int]):
    """The number of each stored key."""

    def __init__(self, database: Database, names: NameTable) -> None:
        super().__init__()
        self.names = names
        self.parts: dict[int, tuple[int, int, int]] = {  # by the key's number: those of its names
            number: (product, site, supplier)
            for number, product, site, supplier in database.query("SELECT id, product, site, supplier FROM keys")
        }
        self.update((self.key(number), number) for number in self.parts)

    def key(self, number: int) -> Key:
        """Return the key of a number."""
        product, site, supplier = self.parts[number]
        texts = self.names.texts
        return texts[product], texts[site], texts[supplier]

    def by_number(self) -> dict[int, Key]:
        """Return all keys by number."""
        return {number: self.key(number) for number in self.parts}


class GrowingNameTable(NameTable):
    """A name table that stores a new name when it is first looked up."""

    def __init__(self, database: WritableDatabase) -> None:
        super().__init__(database)
        self.database = database

    def __missing__(self, name: str) -> int:
        number = len(self) + 1
        self.database.append("names", ("id", "name"), [(number, name)])
        self[name], self.texts[number] = number, name
        return number


class GrowingKeyTable(KeyTable):
    """A key table that stores a new key, and its names, when it is first looked up."""

    def __init__(self, database: WritableDatabase, names: GrowingNameTable) -> None:
        super().__init__(database, names)
        self.database = database

    def __missing__(self, key: Key) -> int:
        number = len(self) + 1
        product, site, supplier = (self.names[name] for name in key)
        self.database.append("keys", ("id", "product", "site", "supplier"), [(number, product, site, supplier)])
        self[key], self.parts[number] = number, (product, site, supplier)
        return number


def id_key(id_: str) -> bytes:
    """Return the 16 bytes of an event's id, as the store keeps it."""
    return bytes.fromhex(id_.replace("-", ""))


def id_keys(ids: Iterable[str]) -> list[bytes]:
    """Return the bytes of some ids, converted in one go: half the time of one by one."""
    keys = id_key("".join(ids))
    return [keys[n : n + 16] for n in range(0, len(keys), 16)]


def id_text(key: bytes) -> str:
    """Return the id of its 16 bytes."""
    i = bytes(key).hex()
    return f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}"
