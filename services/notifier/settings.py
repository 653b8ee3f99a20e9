"""Settings of the notifier."""

from pathlib import Path

from pydantic import Field

from shared.process.settings import ServiceSettings


class NotifierSettings(ServiceSettings):
    """Settings that the notifier reads once, when it starts."""

    rules: Path | None = Field(
        default=None,
        description="the YAML file of targets and rules, read again when it changes; unset: it sends nothing",
    )
    outgoing: Path = Field(
        default=Path("data/notifier.db"), description="the file with the offset and the messages that are to be sent"
    )
    page_url: str = Field(default="", description="address of the planner's page, for links; unset: no links")
    retry_s: float = Field(default=5, gt=0, description="seconds until the second try to send, doubled for each more")
    retry_max_s: float = Field(default=3600, gt=0, description="seconds between two tries, at most")
    send_timeout_s: float = Field(default=20, gt=0, description="seconds that a target may take for a connection")
