"""A signed checkpoint and its key, for the tests of keys, notes and files."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.ledger.checkpoint.keys import Signer
from services.ledger.checkpoint.notes import Checkpoint

# the first key of RFC 8032, 7.1
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNER = Signer("waferline.example/ledger", Ed25519PrivateKey.from_private_bytes(SECRET))
VERIFIER = SIGNER.verifier
CHECKPOINT = Checkpoint(7, 3, bytes(range(32)), 42, 1_767_614_400_000_000, "ab" * 32)
NOTE = (
    "waferline/ledger/7\n"
    "3\n"
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    "events 42\n"
    "recorded 1767614400000000\n"
    "state abababababababababababababababababababababababababababababababab\n"
    "\n"
    "— waferline.example/ledger "
    "nBSWXe1HkJLvukkbQ1bMOyXypFRCNn0WWG+2O8Qfu28UNAxCLR7S4I8z1LdXlJnWcM0P9H+qSFoeW/AX9Tm/AG4BKwg=\n"
)
OTHER = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(bytes(32)))


def sign(text: str, signer: Signer = SIGNER) -> str:
    """Any text as a note, signed."""
    signature = base64.b64encode(signer.verifier.id + signer.private.sign(text.encode())).decode()
    return f"{text}\n— {signer.name} {signature}\n"
