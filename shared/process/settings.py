"""The settings that every service has; each has a default that works on a laptop."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Read once from the environment, as `WAFERLINE_` and the field, when a service starts."""

    model_config = SettingsConfigDict(env_prefix="WAFERLINE_", env_ignore_empty=True, frozen=True)

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", description="rediss:// with tls_ca_file")
    redis_user: str | None = Field(default=None, description="of its ACL file; none: the one without a name")
    redis_password_file: Path | None = Field(default=None, description="the file of its password; none: none is sent")
    tls_ca_file: Path | None = Field(
        default=None, description="the CA that the peers' certificates are verified with; none: no TLS"
    )
    http_host: str = Field(default="127.0.0.1", description="where it listens; elsewhere it needs http_tokens_file")
    http_port: int = Field(default=0, ge=0, le=65_535, description="0 serves no HTTP")
    http_tokens_file: Path | None = Field(default=None, description="who may ask; none: everybody on this machine")
    token_file: Path | None = Field(default=None, description="the token sent to other services; none: none is sent")
    tls_cert_file: Path | None = Field(default=None, description="with tls_key_file, HTTPS is served; none: HTTP")
    tls_key_file: Path | None = Field(default=None, description="the private key of tls_cert_file")
    silence_max_s: float = Field(default=30, gt=0, description="how long an entry may wait before health says no")
