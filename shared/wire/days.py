"""Days and instants as whole numbers: days and microseconds since 1970-01-01, UTC, as the columns hold them."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

DAY = timedelta(days=1)
DAY_US = 86_400_000_000  # microseconds
ENDED = 1_000_000  # of a watermark: added to the day once its source has ended, so beyond every day

_EPOCH = date(1970, 1, 1)
_EPOCH_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def day_number(day: date) -> int:
    """Return days since 1970-01-01."""
    return (day - _EPOCH).days


def date_of(number: int) -> date:
    """Return the date of a day number; raise `OverflowError` outside the years 1 to 9999."""
    return _EPOCH + timedelta(days=number)


@lru_cache(maxsize=65_536)
def iso_day(number: int) -> str:
    """Return the date of a day number as YYYY-MM-DD."""
    return date_of(number).isoformat()


def next_month(day: date) -> date:
    """Return the first day of the month after that of `day`."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def microseconds(time: datetime) -> int:
    """Return whole microseconds since 1970, UTC."""
    since = time - _EPOCH_TIME
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def iso_time(us: int) -> str:
    """Return microseconds since 1970 in the one form that the wire uses: UTC, six decimals, Z."""
    seconds, rest = divmod(us, 1_000_000)
    day, second = divmod(seconds, 86_400)
    return f"{iso_day(day)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{rest:06d}Z"


def is_ended(watermark: int) -> bool:
    """Return whether a watermark is that of a source that has ended."""
    return watermark >= ENDED


def day_of(watermark: int) -> int:
    """Return the day of a watermark, since 1970."""
    return watermark - ENDED if is_ended(watermark) else watermark
