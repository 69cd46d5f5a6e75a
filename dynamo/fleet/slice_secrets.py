"""Find secrets in a slice document, and addresses of everybody: neither may stand there, whatever the key."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from dynamo.fleet.credentials import FORMS
from dynamo.fleet.slice_file import SliceDraft
from dynamo.runfile.document import Node
from dynamo.runfile.values import At

__all__ = ["refuse_open", "refuse_secrets"]

#: Keys whose values are secrets, but for those that say in which file one is.
_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|token|(access|private|api|secret)_?key|credential_?value", re.IGNORECASE
)
_ELSEWHERE = re.compile(r"(_file|_path|_name|_id)$", re.IGNORECASE)
_REFERENCE = re.compile(r"(env|profile|cloud):[\w.@-]+")
#: Secrets that are known by their looks: AWS keys, private keys, tokens (JWT), and passwords in URLs.
_VALUE = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN |\beyJ[\w-]{10,}\.[\w-]{10,}\.|://[^/\s:@]+:[^/\s@]+@"
)
#: So many addresses are no site's own.
_WIDEST = 8


def refuse_secrets(draft: SliceDraft) -> None:
    """Tell every secret, without showing it."""
    for at, node in _values(draft.root, ()):
        text = node.value
        key = draft.root.last_key(at)
        named = _KEY.search(key) and not _ELSEWHERE.search(key)
        if (named and not _REFERENCE.fullmatch(str(text))) or (isinstance(text, str) and _VALUE.search(text)):
            draft.faults.add(
                node.mark,
                f"{key}: looks like a secret, and a slice holds none: name where it is ({', '.join(FORMS)}) "
                "under `credentials`; if this one was stored or sent anywhere, renew it",
            )


def refuse_open(draft: SliceDraft) -> None:
    """Tell every network that is open to everybody, or nearly so."""
    for at, node in _values(draft.root, ()):
        try:
            network = ipaddress.ip_network(node.value, strict=False) if "/" in str(node.value) else None
        except ValueError:
            continue
        if network is not None and network.prefixlen < _WIDEST:
            draft.tell(
                at,
                f"{node.value} is everybody, or nearly: nothing of a slice is open to the world; name the addresses "
                "that are meant",
            )


def _values(node: Node, at: At) -> Iterator[tuple[At, Node]]:
    """Yield every single value, and where it stands."""
    if isinstance(node.value, dict):
        for key, inner in node.value.items():
            yield from _values(inner, (*at, key))
    elif isinstance(node.value, list):
        for index, inner in enumerate(node.value):
            yield from _values(inner, (*at, index))
    elif node.value is not None:
        yield at, node
