"""The faults: each is done to a rig under load, waits until it goes on, and says what was tried and seen."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from shared.process.acl import User, users
from shared.service.readers import SOCKET_SILENCE_MAX_S
from shared.wire.batch import ENTRY_BYTES_MAX
from shared.wire.events import Event
from shared.wire.streams import BALANCES, DATA, POSTINGS, party_stream, recorded_stream
from testing.bad_events import BAD_ENTRIES, BAD_EVENTS, good_events
from tests.chaos.failpoints import POINTS
from tests.chaos.proxy import Cut, Proxy
from tests.chaos.rig import DOORS, Broken, Rig, wait

ALARM_WITHIN_S = 60.0
RESENT_WITHIN_S = 18.0  # the ledger looks back every 5 s, and a party sends again 10 s after it was last heard
GOOD_WITHIN_S = 1.0
GROWTH_MAX_KB = 50 << 10
PARTIES = {source: f"{role}-{source}" for source, role in DOORS.items()}
BOTH = ("ledger", "ledger-2")
_FAKETIME = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]


class Skipped(Exception):
    """A fault that cannot be tried here; the message says why."""


class Tried(NamedTuple):
    """What was done to the rig, how often, and what was seen."""

    what: str
    times: int
    seen: str


def kill_services(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Kill each service at random moments, the next one as soon as it has got on."""
    left, due = dict.fromkeys(rig.stack.services(), kills), dict.fromkeys(rig.stack.services(), -1)
    killed_at, slowest = dict.fromkeys(left, time.monotonic()), 0.0
    while any(left.values()) or due:
        for name in [name for name, least in due.items() if _reached(rig, name) > least]:
            del due[name]
            slowest = max(slowest, time.monotonic() - killed_at[name])
        late = [name for name in due if time.monotonic() - killed_at[name] > 90]
        if late:
            raise Broken(f"{late} made no progress for 90 s after a kill")
        victims = [name for name in left if left[name] and name not in due]
        time.sleep(chance.uniform(0, 0.15))
        if victims:
            name = chance.choice(victims)
            due[name] = _reached(rig, name, least=True)
            rig.kill(name)
            killed_at[name] = time.monotonic()
            left[name] -= 1
            rig.advance(f"kills left: {left}")
    return Tried(
        "SIGKILL of each service", kills * len(left), f"{kills} each; getting on again took at most {slowest:.1f} s"
    )


def _reached(rig: Rig, name: str, *, least: bool = False) -> int:
    """Return how far a service has come; `least`: what it must exceed after a kill now."""
    if name in ("ledger", "aggregator"):
        return rig.position("ledger" if least else name)
    return rig.load.heard[next(source for source, party in PARTIES.items() if party == name)]


def kill_redis(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Kill Redis, half of the time with appendfsync always; with everysec, half of the time as a power cut does."""
    count: Counter[str] = Counter()
    slowest, policy = 0.0, "everysec"
    for _ in range(kills):
        time.sleep(chance.uniform(0.02, 0.8))
        if policy == "everysec" and chance.random() < 0.5:
            count["bytes"] += rig.server.cut_power()
            count["power cuts"] += 1
        else:
            rig.server.kill()
            count[policy] += 1
        policy = "always" if policy == "everysec" else "everysec"
        rig.server.options = ("--appendfsync", policy)
        rig.server.start()
        slowest = max(slowest, rig.until_heard("it goes on after Redis was killed", RESENT_WITHIN_S))
        rig.advance(f"kills of Redis: {sum(count.values()) - count['bytes']} of {kills}")
    rig.server.options = ()
    seen = (
        f"{count['always']} with always, {count['everysec']} with everysec, {count['power cuts']} with everysec and "
        f"the last second cut off ({count['bytes'] >> 10} kB); getting on again took at most {slowest:.1f} s"
    )
    return Tried("SIGKILL of Redis", kills, seen)


def stop_processes(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Stop processes for a while; where it is the ledger, have a second one write meanwhile."""
    stops, beside, fenced, locked = max(2, kills // 3), max(1, kills // 10), 0, 0
    longest = 0.0
    for n in range(stops):
        seconds = chance.choice((10, 30)) if kills >= 50 and n < 4 else chance.uniform(0.3, 2)
        name = chance.choice([*rig.stack.services(), "redis"])
        if name == "redis":
            assert rig.server.process is not None
            rig.server.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            rig.server.process.send_signal(signal.SIGCONT)
        else:
            rig.signal(name, signal.SIGSTOP)
            time.sleep(seconds)
            rig.signal(name, signal.SIGCONT)
        rig.until_heard(f"it goes on after {name} was stopped")
        longest = max(longest, seconds)
        rig.advance(f"stops: {n + 1} of {stops}")
    for n in range(beside):
        time.sleep(chance.uniform(0, 0.3))
        before, refused = rig.position("ledger"), _fences(rig, "ledger")
        rig.signal("ledger", signal.SIGSTOP)
        with _second_ledger(rig):
            try:
                wait("the second ledger records", lambda at=before: rig.position("ledger-2") > at + 1, 15)
            except Broken:  # the first one was stopped inside its transaction: nobody else can write, and it may
                locked += 1
                rig.signal("ledger", signal.SIGCONT)
            else:
                rig.signal("ledger", signal.SIGCONT)
                wait("the stale ledger is refused", lambda was=refused: _fences(rig, "ledger") > was, 30)
                fenced += 1
        rig.until_heard("it goes on with one ledger")
        rig.advance(f"stops beside a second ledger: {n + 1} of {beside}")
    seen = (
        f"0.3 to {longest:.0f} s; {beside} of them of the ledger beside a second one on its store: the stale commit "
        f"was refused {fenced} times, {locked} times it had been stopped inside its transaction and finished it"
    )
    return Tried("SIGSTOP, later SIGCONT", stops + beside, seen)


@contextmanager
def _second_ledger(rig: Rig) -> Iterator[None]:
    rig.start("ledger-2")
    try:
        yield
    finally:
        rig.end("ledger-2")
        with rig.lock:
            del rig.stack.processes["ledger-2"]


def run_two_ledgers(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Have two ledgers write to one store: each batch is one's, and the other stops and is started again."""
    before, position = _fences(rig, *BOTH), rig.position("ledger")
    with _second_ledger(rig):
        wait("the second ledger has started", lambda: rig.logged("ledger-2", '"service_started"'))
        for _ in range(max(2, kills // 20)):
            time.sleep(chance.uniform(0.5, 2))
            rig.until_heard("it goes on with two ledgers")
    wait("the ledger answers", lambda: rig.health("ledger"))
    times = _fences(rig, *BOTH) - before
    if not times:
        raise Broken("none of two ledgers was ever refused")
    return Tried(
        "two ledgers on one store", times, f"{rig.position('ledger') - position} batches; {times} times one was fenced"
    )


def _fences(rig: Rig, *names: str) -> int:
    there = [name for name in names if (rig.folder / "logs" / f"{name}.log").exists()]
    return sum(rig.logged(name, '"ledger_fenced"') for name in there)


def lose_streams(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Take from Redis what the ledger has not read yet; at last, what it has read, in a quiet hour."""
    ways = [_delete_stream, _flush, _start_empty, _come_from_the_future]
    slowest, count = 0.0, 0
    for _ in range(max(1, kills // 25)):
        for way in ways if kills >= 20 else chance.sample(ways, 1):
            rig.signal("ledger", signal.SIGSTOP)
            time.sleep(chance.uniform(0.2, 0.6))  # something is said that it does not read
            way(rig)
            rig.signal("ledger", signal.SIGCONT)
            slowest = max(slowest, rig.until_heard(f"it goes on after {way.__name__}", ALARM_WITHIN_S))
            count += 1
            rig.advance(f"streams lost: {count}")
    rig.settle()
    before, began = rig.logged("ledger", "stream_receded"), time.monotonic()
    rig.redis.flushall()
    wait("an alarm", lambda: rig.logged("ledger", "stream_receded") > before, ALARM_WITHIN_S)
    alarm = f"after a flush in a quiet hour the alarm came within {time.monotonic() - began:.1f} s"
    wait("the postings are told again", lambda: rig.redis.xlen(POSTINGS))
    return Tried(
        "stream deleted, FLUSHALL, Redis restarted empty, an id of tomorrow before FLUSHALL",
        count + 1,
        f"the outboxes sent again, which took at most {slowest:.1f} s; {alarm}",
    )


def _delete_stream(rig: Rig) -> None:
    rig.redis.delete(party_stream("supplier", "skhynix"))


def _flush(rig: Rig) -> None:
    rig.redis.flushall()


def _start_empty(rig: Rig) -> None:
    rig.server.kill()
    for path in rig.server.folder.rglob("*.aof"):
        path.unlink()
    rig.server.start()


def _come_from_the_future(rig: Rig) -> None:
    """Have the ledger read an id that Redis's clock will only reach tomorrow, then empty Redis."""
    stream = party_stream("supplier", "skhynix")
    rig.signal("ledger", signal.SIGCONT)
    [(_, fields)] = wait("an entry", lambda: rig.redis.xrevrange(stream, count=1))
    tomorrow = f"{int(time.time() + 86_400) * 1000}-0"
    with suppress(RedisError):  # it is there from the round before
        rig.redis.xadd(stream, fields, id=tomorrow)
    rig.until_heard("it reads on behind it")
    rig.signal("ledger", signal.SIGSTOP)
    rig.redis.flushall()


def cut_network(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Cut the network between the services and Redis in three ways."""
    proxy = Proxy(rig.server.port)
    ways: tuple[Cut, ...] = ("closed", "stalled", "lost")
    slowest = dict.fromkeys(ways, 0.0)
    times = max(1, kills // 10)
    try:
        _restart_all(rig, f"redis://127.0.0.1:{proxy.port}/0")
        for n in range(times):
            for way in ways:
                seconds = chance.uniform(5, 9) if n % 5 == 4 else chance.uniform(0.2, 2)
                proxy.cut(way)
                time.sleep(seconds)
                proxy.heal()
                # each service finds its own lost connection where it next speaks: the party, the ledger, the aggregator
                due = (3 if way == "lost" else 1) * SOCKET_SILENCE_MAX_S + 2
                took = rig.until_heard(f"it goes on after the network was {way} for {seconds:.1f} s", due)
                slowest[way] = max(slowest[way], took)
                rig.advance(f"cuts: {way}, {n + 1} of {times}, {seconds:.1f} s, recovered after {took:.1f} s")
    finally:
        proxy.heal()
        _restart_all(rig, rig.server.url)
        proxy.stop()
    took_text = ", ".join(f"{way} {seconds:.1f} s" for way, seconds in slowest.items())
    return Tried(
        "network cut (a TCP proxy before Redis)", times * len(ways), f"recovered at the latest after: {took_text}"
    )


def _restart_all(rig: Rig, redis_url: str) -> None:
    rig.stack.redis_url = redis_url
    for name in rig.stack.services():
        rig.kill(name)
    rig.until_heard("all is up again")


def fill_disk(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Have the ledger's store on a file system of 24 MB, and fill it."""
    small, path = rig.folder / "small", rig.stack.files.ledger_store
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(small)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        raise Skipped("a tmpfs needs root")
    times, refused = max(1, kills // 20), 0
    ballast = small / "ballast"
    try:
        _move_store(rig, path, small / "ledger.db")
        path.symlink_to(small / "ledger.db")
        rig.start("ledger")
        for n in range(times):
            rig.until_heard("there is room")
            before = rig.logged("ledger", "critical", "full")
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
            wait(
                "the ledger says that the disk is full",
                lambda was=before: rig.logged("ledger", "critical", "full") > was,
            )
            time.sleep(chance.uniform(0, 3))
            refused += rig.logged("ledger", "critical", "full") - before
            ballast.unlink()
            rig.advance(f"disk full: {n + 1} of {times}")
        rig.until_heard("it goes on when there is room")
    finally:
        ballast.unlink(missing_ok=True)
        rig.end("ledger")
        path.unlink(missing_ok=True)
        _move_store(rig, small / "ledger.db", path)
        subprocess.run(["umount", str(small)], check=True)  # noqa: S607
        small.rmdir()
        rig.start("ledger")
    return Tried(
        "disk full (a tmpfs of 24 MB under the store)",
        times,
        f"the ledger stopped {refused} times, and went on when there was room",
    )


def _move_store(rig: Rig, here: Path, there: Path) -> None:
    if "ledger" not in rig.held:
        rig.end("ledger")
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            shutil.move(f"{here}{ending}", f"{there}{ending}")


def turn_clocks(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Have one process at a time live an hour or a day off."""
    turns = [(name, hours) for name in rig.stack.services() for hours in (-24, -1, 1, 24)]
    turns = turns if kills >= 50 else chance.sample(turns, 1)
    for name, hours in turns:
        rig.start_otherwise(name, CHAOS_CLOCK_S=str(hours * 3600))
        rig.until_heard(f"it goes on with the clock of {name} {hours} h off")
        rig.start_otherwise(name)
        rig.until_heard(f"it goes on with the clock of {name} right again")
        rig.advance(f"clock of {name}: {hours} h")
    redis = (-24, -1, 1, 24, 0) if _FAKETIME and kills >= 50 else (24, 0) if _FAKETIME else ()
    for hours in redis:
        rig.server.environment = (
            {"LD_PRELOAD": str(_FAKETIME[0]), "FAKETIME": f"{hours:+}h", "DONT_FAKE_MONOTONIC": "1"} if hours else {}
        )
        rig.server.kill()
        rig.server.start()
        rig.until_heard(f"it goes on with the clock of Redis {hours} h off")
    how = "Redis's too (libfaketime)" if redis else "Redis's not: there is no libfaketime here"
    return Tried(
        "clock ± 1 h, ± 1 day",
        len(turns) + max(0, len(redis) - 1),
        f"each service's alone, {how}; it went on each time",
    )


def reorder(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Put a source's events on its stream out of order, the first of them last."""
    before = rig.logged("ledger", '"sequences_missed"'), rig.logged("ledger", '"sequences_filled"')
    through = rig.progress("micron")["through"]
    events = list(islice(rig.voice("micron"), 20 + 10 * kills))
    late, *others = events
    order = sorted(range(len(others)), key=lambda n: n + chance.uniform(0, 20))
    for n in order:
        rig.say(others[n])
    last = others[-1].sequence
    ahead = wait("all but one are heard", lambda: _ahead(rig, "micron", last))
    if ahead != [[late.sequence + 1, last]] or rig.progress("micron")["through"] != through:
        raise Broken(f"the gap at {late.sequence} is not seen: {rig.progress('micron')}")
    wait("sequences_missed", lambda: rig.logged("ledger", '"sequences_missed"') > before[0], ALARM_WITHIN_S)
    rig.say(late)
    wait("the gap is closed", lambda: rig.progress("micron")["through"] == last)
    wait("sequences_filled", lambda: rig.logged("ledger", '"sequences_filled"') > before[1], ALARM_WITHIN_S)
    return Tried(
        "events out of order within a window of 20, the first one last",
        len(events),
        "the gap was flagged meanwhile, and its end",
    )


def _ahead(rig: Rig, source: str, last: int) -> list[Any] | None:
    ahead: list[Any] = rig.progress(source)["ahead"]
    return ahead if len(ahead) == 1 and ahead[0][1] == last else None


def poison(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Put every way we know for an event to be wrong on a stream, and hand it in at a door."""
    bodies = [(bad.name, bad.cloud_event(), bad.code, bad.path) for bad in BAD_EVENTS]
    bodies += [
        (f"{bad.name}, in columns", bad.batch(), bad.code, bad.path) for bad in BAD_EVENTS if bad.row is not None
    ]
    bodies += [(bad.name, bad.body, bad.code, bad.path) for bad in BAD_ENTRIES]
    chosen = bodies if kills >= 50 else chance.sample(bodies, 25)
    for event in good_events():
        rig.say(event)
    slowest, repeated, (at, *_) = 0.0, 0, _refusals(rig, "samsung", "0-0", 3)
    for name, body, code, _ in chosen:
        rig.write("samsung", body)
        next_one, began = next(rig.voice("samsung")), time.monotonic()
        rig.say(next_one)
        wait(f"the good event after {name}", lambda due=next_one: _is_recorded(rig, due), 30)
        slowest = max(slowest, time.monotonic() - began)
        at, codes, duplicates = _refusals(rig, "samsung", at, next_one.sequence)
        due = "out_of_bounds" if len(body) > ENTRY_BYTES_MAX else code
        same = not codes and duplicates in (1, 3)  # it reads as one before did, alone or with two good rows
        repeated += same
        if codes != [due] and not same:
            raise Broken(f"{name}: {codes} instead of one {due}")
        rig.advance(f"poison on the stream: {name}")
    if slowest > GOOD_WITHIN_S:
        raise Broken(f"a good event waited {slowest:.2f} s behind a bad one")
    statuses: Counter[str] = Counter()
    for name, body, _, path in chosen:
        status = _hand_in_poison(rig, body)
        if status not in ("refused", "413", "nothing") and path != "sequence":  # the door gives the sequence itself
            raise Broken(f"{name} was {status} at the door")
        statuses[status] += 1
    rig.until_heard("the doors go on")
    return Tried(
        "poison on the stream, and at the door",
        len(chosen) * 2,
        f"one refusal each with its reason ({repeated} kept once with one that reads the same); the next good event "
        f"was recorded after {slowest:.2f} s at the latest; "
        "at the door: " + ", ".join(f"{count} {status}" for status, count in statuses.items()),
    )


def _is_recorded(rig: Rig, event: Event) -> bool:
    return (rig.get("ledger", f"/events/{event.source}/{event.id}") or {}).get("status") == "recorded"


def _refusals(rig: Rig, source: str, after: str, through: int) -> tuple[str, list[str], int]:
    """Return what is told a source after an entry, through a sequence: its end, the codes, how many duplicates."""
    codes: list[str] = []
    duplicates = 0
    while True:
        for _, entries in wait(
            "a verdict", lambda at=after: rig.redis.xread({recorded_stream(source): at}, block=1000)
        ):
            for entry_id, fields in entries:
                after, verdict = entry_id.decode(), json.loads(fields[DATA.encode()])
                codes += [refusal["code"] for refusal in verdict["refusals"]]
                duplicates += verdict["duplicates"]
                if verdict["through"] >= through:
                    return after, codes, duplicates


def _hand_in_poison(rig: Rig, body: bytes) -> str:
    """Hand a body in at the door of another supplier; return what it said, and note what it took."""
    swapped = body.replace(b"samsung", b"<>").replace(b"skhynix", b"samsung").replace(b"<>", b"skhynix")
    answer = httpx.post(rig.url(PARTIES["skhynix"]) + "/events", content=swapped, timeout=30)
    if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return "413"
    statuses = {each["status"] for each in answer.json()}
    if statuses <= {"recorded", "duplicate"} and statuses:
        content = json.loads(json.dumps(good_events()[1].cloud_event()).replace("samsung", "skhynix"))
        rig.load.attempted["skhynix", content["id"]] = Event.read(content)
    return " and ".join(sorted(statuses)) or "nothing"


def send_huge(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Send bodies of 2 and of 64 MB to the door and to the stream, and watch the memory."""
    seen, times = [], 0
    for megabytes in (2, 64):
        body = b'{"x":"' + b"x" * (megabytes << 20) + b'"}'
        for name, send in ((PARTIES["skhynix"], _post_huge), ("ledger", _put_huge)):
            _forget_peak(rig, name)
            before = _memory_kb(rig, name, "VmRSS")
            said_ = send(rig, body)
            rig.until_heard("it goes on")
            grown = _memory_kb(rig, name, "VmHWM") - before
            if grown > GROWTH_MAX_KB:
                raise Broken(f"{megabytes} MB had {name} grow by {grown >> 10} MB")
            seen.append(f"{name.partition('-')[0]} {megabytes} MB: {said_}, +{max(0, grown) >> 10} MB")
            times += 1
    return Tried("payloads of 2 and 64 MB, at the door and on the stream", times, "; ".join(seen))


def _post_huge(rig: Rig, body: bytes) -> str:
    address = ("127.0.0.1", rig.stack.ports[PARTIES["skhynix"]])
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body))
        with suppress(OSError):  # it answers, and closes, before all is sent
            connection.sendall(body)
        status = connection.recv(100).split()[1].decode()
    if status != "413":
        raise Broken(f"the door said {status} to {len(body)} bytes, more than {ENTRY_BYTES_MAX}")
    return "413"


def _put_huge(rig: Rig, body: bytes) -> str:
    before = len(rig.get("ledger", "/refusals"))
    try:
        with Redis.from_url(rig.server.url, retry=None) as redis:
            redis.xadd(party_stream("supplier", "micron"), {DATA: body})
    except (RedisError, OSError):
        return "Redis refused it"
    wait("it is refused", lambda: len(rig.get("ledger", "/refusals") or ()) > before)
    return "the ledger refused it"


def _forget_peak(rig: Rig, name: str) -> None:
    with suppress(OSError):
        Path(f"/proc/{rig.stack.processes[name].pid}/clear_refs").write_text("5")


def _memory_kb(rig: Rig, name: str, field: str) -> int:
    lines = Path(f"/proc/{rig.stack.processes[name].pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def overload(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Have ten times the load meet a ledger that stands still, until Redis is full and takes nothing any more."""
    load, times, peak = rig.load, max(1, kills // 25), 0
    ended = Counter(rig.ended_by_itself)
    for n in range(times):
        load.impatient = True
        rig.signal("ledger", signal.SIGSTOP)
        rig.redis.config_set("maxmemory", int(rig.redis.info("memory")["used_memory"]) + (1 << 20))
        wait("Redis is full", lambda: any(rig.logged(party, "OOM") for party in PARTIES.values()) or _is_full(rig))
        rig.signal("ledger", signal.SIGCONT)
        time.sleep(chance.uniform(1, 4))
        peak = max(peak, len(load.attempted) - len(load.acknowledged))
        load.impatient = False
        rig.redis.config_set("maxmemory", 0)
        rig.until_heard("it goes on when there is room")
        rig.advance(f"overload: {n + 1} of {times}")
    stops = sum((rig.ended_by_itself - ended).values())
    return Tried(
        "Redis full (maxmemory, noeviction) at ten times the load before a ledger that stands still",
        times,
        f"up to {peak:,} events waited in the outboxes; services stopped and started {stops} times; none was dropped",
    )


def _is_full(rig: Rig) -> bool:
    try:
        rig.redis.xadd("chaos:full", {"x": b"x"}, maxlen=1, approximate=False)
    except RedisError:
        return True
    return False


def crash_at_commit(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Have the ledger die just before a commit, just after it, just before and just after publishing."""
    times = max(1, kills // 4)
    try:
        for point in POINTS:
            for n in range(times):
                before = rig.ended_by_itself["ledger"]
                rig.stack.otherwise["ledger"] = {"CHAOS_POINT": point, "CHAOS_AT": str(chance.randint(1, 12))}
                if not n:
                    rig.kill("ledger")
                wait(f"it dies {point}", lambda was=before: rig.ended_by_itself["ledger"] > was)
                rig.advance(f"deaths {point}: {n + 1} of {times}")
    finally:
        rig.start_otherwise("ledger")
    rig.until_heard("it goes on")
    where = ", ".join(point.replace("_", " ") for point in POINTS)
    return Tried(f"the ledger dies at a chosen point ({where})", times * len(POINTS), f"{times} times at each")


def confine(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Give each service its own Redis user with no more than it needs, run on, and try what each may not."""
    version = str(rig.redis.info("server")["redis_version"])
    directed = int(version.partition(".")[0]) >= 7
    running = [user for user in users(rig.stack.suppliers, rig.stack.datacenters) if user.name in rig.stack.services()]
    secret = f"{chance.getrandbits(64):x}"
    address = f"127.0.0.1:{rig.server.port}/0"
    owner, rig.redis = rig.redis, Redis.from_url(f"redis://owner:{secret}@{address}")
    owner.execute_command("ACL", "SETUSER", "owner", "on", f">{secret}", "~*", "&*", "+@all")
    try:
        for user in running:
            rules = user.rules() if directed else _undirected(user)
            rig.redis.execute_command("ACL", "SETUSER", user.name, "reset", "on", f">{secret}", *rules)
            rig.stack.otherwise[user.name] = {"WAFERLINE_REDIS_URL": f"redis://{user.name}:{secret}@{address}"}
        rig.redis.execute_command("ACL", "SETUSER", "default", "off")
        _restart_all(rig, rig.server.url)
        rig.redis.execute_command("ACL", "LOG", "RESET")
        refused = 0
        for name, order in _forbidden(directed=directed):
            refused += _is_refused(f"redis://{name}:{secret}@{address}", order)
        refused += _is_refused(rig.server.url, ("PING",)) + _is_refused(f"redis://ledger:wrong@{address}", ("PING",))
        logged = len(rig.redis.execute_command("ACL", "LOG", "1000"))
        rig.redis.execute_command("ACL", "LOG", "RESET")
        rig.until_heard("it goes on with users that may do no more than they need")
        needed = [f"{entry['username']} {entry['object']}" for entry in rig.redis.acl_log() if not _is_harmless(entry)]
    finally:
        rig.redis.execute_command("ACL", "SETUSER", "default", "on")
        rig.redis.close()
        rig.redis = owner
        rig.stack.otherwise.clear()
        _restart_all(rig, rig.server.url)
    if not logged:
        raise Broken("Redis has logged none of what it refused")
    if needed:
        raise Broken(f"a service needs what its user may not: {needed}")
    rights = "rights to read or to write" if directed else "rights by stream only: Redis 6 knows no direction"
    return Tried(
        "no credentials, wrong ones, another's stream, commands nobody needs",
        refused,
        f"refused, {logged} lines in ACL LOG; all services ran on under users of their own (Redis {version}, {rights})",
    )


def _undirected(user: User) -> list[str]:
    """Return the rights of a user as Redis 6 knows them: every command of it on every stream of it."""
    commands = sorted({f"+{command}" for grant in user.grants for command in grant.commands})
    return ["resetchannels", "-@all", "+ping", *(f"~{stream}" for stream in user.streams()), *commands]


def _is_harmless(entry: Mapping[str, Any]) -> bool:
    """Whether a client only wanted to say its name: Redis 7.0 would not start if that were allowed."""
    return bool(entry["object"] in ("client|setinfo", "client"))


def _forbidden(*, directed: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what a user may not; `directed`: who may write to a stream may not read it, and the other way round."""
    for name in ("ledger", "aggregator", *PARTIES.values()):
        yield from (
            (name, order) for order in (("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("DEL", POSTINGS))
        )
    for name in ("aggregator", *PARTIES.values()):
        for stream in (
            party_stream("supplier", "samsung"),
            recorded_stream("samsung"),
            *(() if name == "aggregator" else (POSTINGS,)),
        ):
            yield name, ("XADD", stream, "*", "x", "x")
    yield PARTIES["skhynix"], ("XADD", party_stream("datacenter", "stargate-americas"), "*", "x", "x")
    yield PARTIES["stargate-americas"], ("XADD", party_stream("supplier", "skhynix"), "*", "x", "x")
    yield "ledger", ("XADD", BALANCES, "*", "x", "x")
    if directed:
        yield "ledger", ("XADD", party_stream("supplier", "skhynix"), "*", "x", "x")
        yield "aggregator", ("XADD", POSTINGS, "*", "x", "x")
        yield PARTIES["skhynix"], ("XADD", recorded_stream("skhynix"), "*", "x", "x")
        yield PARTIES["skhynix"], ("XREVRANGE", party_stream("supplier", "skhynix"), "+", "-")


def _is_refused(url: str, order: tuple[str, ...]) -> bool:
    with Redis.from_url(url, retry=None) as redis:
        try:
            answer = redis.execute_command(*order)
        except (AuthenticationError, NoPermissionError):
            return True
    raise Broken(f"{url} may {order}: {answer!r}")


class Fault(NamedTuple):
    """One row of the catalogue."""

    number: int
    name: str
    do: Callable[[Rig, random.Random, int], Tried]


FAULTS = (
    Fault(1, "kill-services", kill_services),
    Fault(2, "kill-redis", kill_redis),
    Fault(3, "stop-processes", stop_processes),
    Fault(4, "lose-streams", lose_streams),
    Fault(5, "cut-network", cut_network),
    Fault(6, "fill-disk", fill_disk),
    Fault(7, "turn-clocks", turn_clocks),
    Fault(9, "reorder", reorder),
    Fault(10, "poison", poison),
    Fault(11, "send-huge", send_huge),
    Fault(12, "overload", overload),
    Fault(13, "two-ledgers", run_two_ledgers),
    Fault(14, "crash-at-commit", crash_at_commit),
    Fault(15, "confine", confine),
)
