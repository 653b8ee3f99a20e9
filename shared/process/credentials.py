"""Credentials of a service at Redis, PostgreSQL and other services: its user, password and token, and the CA."""

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:  # a command reports the errors of this module before it knows whether it needs Redis or settings
    from redis.exceptions import RedisError

    from shared.process.settings import ServiceSettings

_is_token = re.compile(r"[A-Za-z0-9._~+/-]+=*").fullmatch  # the tokens that a Bearer header can carry (RFC 6750)


class CredentialsError(Exception):
    """The settings give no usable credentials, or a server refuses them; the message names both and the remedy."""


class RedisAddress(NamedTuple):
    """URL and connection options of Redis; the password is never in the URL, so that no log line has it."""

    url: str
    options: dict[str, Any]


def redis_address(settings: "ServiceSettings") -> RedisAddress:
    """Return the address of Redis; raise `CredentialsError` where the settings do not fit together.

    With a CA the connection is TLS, and the server must have a certificate of that CA for the URL's host.
    """
    url, options = settings.redis_url, dict[str, Any]()
    if settings.redis_user is not None and settings.redis_password_file is None:
        raise CredentialsError(
            f"{settings.redis_user} has no password for Redis: name its file in WAFERLINE_REDIS_PASSWORD_FILE"
        )
    if settings.redis_password_file is not None:
        options["username"] = settings.redis_user
        options["password"] = read_secret(settings.redis_password_file, "WAFERLINE_REDIS_PASSWORD_FILE")
    if settings.tls_ca_file is not None:
        scheme, _, rest = url.partition("://")
        if scheme not in ("redis", "rediss"):
            raise CredentialsError(f"{scheme}:// has no TLS: use rediss:// in WAFERLINE_REDIS_URL")
        url = f"rediss://{rest}"
        options |= {
            "ssl_ca_certs": str(read_ca(settings.tls_ca_file)),
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        }
    return RedisAddress(url, options)


def postgres_login(password_file: Path | None, ca_file: Path | None) -> dict[str, str]:
    """Return the options beside a `postgresql://` URL: the password, and the CA of the server's certificate."""
    login = {}
    if password_file is not None:
        login["password"] = read_secret(password_file, "WAFERLINE_STORE_PASSWORD_FILE")
    if ca_file is not None:
        login |= {"sslmode": "verify-full", "sslrootcert": str(read_ca(ca_file))}
    return login


def refused(failure: "RedisError", settings: "ServiceSettings", place: str) -> CredentialsError | None:
    """Return the error where Redis refuses the user, or has an untrusted certificate; None for any other failure."""
    from redis.exceptions import AuthenticationError, NoPermissionError  # noqa: PLC0415 (the caller has loaded it)

    user = settings.redis_user or urlsplit(settings.redis_url).username or "the default user"
    if isinstance(failure, (AuthenticationError, NoPermissionError)):
        return CredentialsError(
            f"Redis at {place} refuses {user} ({failure}): WAFERLINE_REDIS_USER and WAFERLINE_REDIS_PASSWORD_FILE must"
            " name a user of its ACL file with the rights of this service. `waferline secrets` makes the file and the"
            " passwords; Redis reads the file when it starts"
        )
    cause = failure.__cause__ or failure.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CredentialsError(
            f"{place} is not trusted ({cause.verify_message}): WAFERLINE_TLS_CA_FILE must be the CA of its certificate,"
            " and the host in WAFERLINE_REDIS_URL a name in that certificate"
        )
    return None


def read_secret(path: Path, setting: str) -> str:
    """Return the secret in a file, without its line end; raise `CredentialsError` where there is none."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as why:
        reason = getattr(why, "strerror", None) or why
        raise CredentialsError(
            f"{path} cannot be read ({reason}): make it with `waferline secrets`, or repair {setting}"
        ) from why
    if not secret:
        raise CredentialsError(f"{path} is empty: remove it, and make it with `waferline secrets`, or repair {setting}")
    return secret


def read_token(path: Path) -> str:
    """Return the token in a file; raise `CredentialsError` if it holds none."""
    token = read_secret(path, "WAFERLINE_TOKEN_FILE")
    if not _is_token(token):
        raise CredentialsError(
            f"{path} holds no token, a line of letters, digits and -._~+/: repair WAFERLINE_TOKEN_FILE"
        )
    return token


def read_ca(path: Path) -> Path:
    """Return the path of a CA; raise `CredentialsError` now, rather than at the first connection, if it is none."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as why:  # an SSLError is one
        raise CredentialsError(
            f"{path} is no CA to trust ({why.strerror or why}): repair WAFERLINE_TLS_CA_FILE"
        ) from why
    return path
