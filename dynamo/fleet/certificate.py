"""The certificate of the join service: made here, signed by itself, and the only one that workers believe."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["Certificate", "join_certificate"]

_VALID = timedelta(days=730)
#: A certificate that ends sooner is made anew: a worker that is ordered now must still be able to join by it.
_LEFT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key: two files, and the certificate's text, which is no secret."""

    file: Path
    key: Path
    text: str


def join_certificate(folder: Path, hosts: Sequence[str]) -> Certificate:
    """Return the certificate for these names or addresses of the join service; made where there is none that fits.

    It stays the same over restarts, or machines that were ordered before could not join. The key can be read by its
    owner alone. Raises `UserError` where ``cryptography`` is missing, `InfrastructureError` where nothing can be kept.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise UserError("workers join by a certificate: pip install 'dynamo-weather[fleet]'") from None
    made = Certificate(folder / "join.pem", folder / "join.key", "")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if made.key.is_file() and made.file.is_file() and _fits(made, hosts):
            return Certificate(made.file, made.key, made.file.read_text())
        text, key = _make(hosts)
        _write(made.key, key, 0o600)
        _write(made.file, text, 0o644)
    except OSError as error:
        raise InfrastructureError(
            f"cannot keep the certificate of the join service in {folder}: {error.strerror}"
        ) from error
    return Certificate(made.file, made.key, text)


def _make(hosts: Sequence[str]) -> tuple[str, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dynamo join service")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a machine's clock may be behind when it first starts
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def _alternative(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _fits(made: Certificate, hosts: Sequence[str]) -> bool:
    """Tell whether a certificate is for all of these, for long enough, and of its key: a crash may leave another."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = x509.load_pem_x509_certificate(made.file.read_bytes())
        if load_pem_private_key(made.key.read_bytes(), None).public_key() != found.public_key():
            return False
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    lasts = found.not_valid_after_utc > datetime.now(UTC) + _LEFT
    return lasts and all(_alternative(host) in names for host in hosts)


def _write(file: Path, text: str, mode: int) -> None:
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)
    new.replace(file)
