"""What a Python client sends, from a seed: ORACLE_COUNT cases made by Celery itself, then bent where they are to be bad.

Prints JSON: every case with the messages it pushed and the keys it wrote beside them, for both workers to be given alike.
"""

import base64
import copy
import datetime
import decimal
import json
import os
import random
import uuid as uuids

from celery import chain, chord, group
from kombu import compression
from kombu.utils import uuid

from app import FIVE, app, batch_generate, count, echo, edit_model, fail, flaky, generate_model, health_check, later, note, one, sleep

rnd = random.Random(int(os.environ["ORACLE_SEED"]))
uuid.__defaults__ = (lambda: uuids.UUID(int=rnd.getrandbits(128), version=4),)
redis = app.backend.client
redis.flushdb()
UTC = datetime.timezone.utc


def now():
    return datetime.datetime.now(UTC)


def maybe(chance, make, otherwise=None):
    return make() if rnd.random() < chance else otherwise


TEXTS = ["", "plain", "naïve café", "日本語", "emoji 👗", "it's", 'both \' and "', "line\nbreak", "tab\t", "\\", "\x00\x7f", "x" * 1100, "a\u2028b"]


def value(depth=0):
    kind = rnd.randrange(12 if depth < 2 else 9)
    if kind < 3:
        return rnd.choice(TEXTS)
    if kind < 5:
        return rnd.choice([0, 1, -7, 2**31, 2**53 - 1])
    if kind == 5:
        return rnd.choice([2**53 + 1, -(2**64), 10**30])
    if kind == 6:
        return rnd.choice([0.5, -1.25, 1e-7, 1e22, 123456.789])
    if kind == 7:
        return rnd.choice([True, False, None])
    if kind == 8:
        return []
    if kind < 11:
        return [value(depth + 1) for _ in range(rnd.randrange(3))]
    return {rnd.choice(TEXTS[:9]): value(depth + 1) for _ in range(rnd.randrange(3))}


def args():
    return [value() for _ in range(rnd.randrange(4))]


def kwargs():
    return {name: value() for name in rnd.sample(["a", "b", "größe", "c c"], rnd.randrange(3))}


def options():
    """Any mixture of options after which the task still runs soon."""
    some = {
        "priority": lambda: rnd.choice([0, 2, 3, 5, 6, 9, 12]),
        "shadow": lambda: rnd.choice(["shown as this", "größe"]),
        "headers": lambda: {"tenant": value(), "trace-id": "abc"},
        "countdown": lambda: rnd.choice([0, 3, 4]),
        "expires": lambda: rnd.choice([60, 3600.5, now() + datetime.timedelta(hours=1)]),
        "soft_time_limit": lambda: rnd.choice([20, 30.5]),
        "time_limit": lambda: rnd.choice([40, 60]),
        "ignore_result": lambda: rnd.choice([True, False]),
        "compression": lambda: rnd.choice(["gzip", "zlib", "bzip2", "lzma"]),
        "eta": lambda: now() - datetime.timedelta(hours=rnd.randrange(1, 9)),
    }
    chosen = {name: make() for name, make in some.items() if rnd.random() < 0.15}
    if "eta" in chosen:
        chosen.pop("countdown", None)
    return chosen


def some_sig():
    return rnd.choice([lambda: echo.s(*args()), lambda: echo.s(*args(), **kwargs()), lambda: one.s(), lambda: count.s(), lambda: echo.si(*args())])()


def some_fail():
    return fail.s(**rnd.choice([{}, {"type": "KeyError", "messages": ["clé"]}, {"type": "Boom", "messages": ["one", 2]}, {"type": "RuntimeError", "messages": []}]))


def elsewhere(signature):
    """For a queue that nobody takes from, so that the message itself can be compared."""
    return signature.set(queue="elsewhere")


def follow_up():
    return maybe(0.4, lambda: elsewhere(some_sig()), None) or some_sig()


def simple():
    echo.apply_async(args(), kwargs(), **options())


def returned():
    one.apply_async([value()], **options())


def failing():
    some_fail().apply_async(**options())


def retried():
    flaky.apply_async(kwargs={"times": rnd.randrange(8)}, **options())


def retried_much_later():
    later.apply_async(args(), kwargs(), **options())


def tomorrow():
    echo.apply_async(args(), countdown=86400, **maybe(0.5, lambda: {"headers": {"tenant": "é"}}, {}))


def expired():
    echo.apply_async(args(), expires=now() - datetime.timedelta(seconds=rnd.choice([1, 4000])), **maybe(0.3, lambda: {"ignore_result": True}, {}))


def expires_before_it_is_due():
    echo.apply_async(args(), countdown=5, expires=3)


def soft_limit():
    sleep.apply_async(kwargs={"seconds": 3}, soft_time_limit=0.3, time_limit=20)


def hard_limit():
    sleep.apply_async(kwargs={"seconds": 6}, time_limit=0.5)


def optioned():
    """Options of what is sent on, where nobody takes it, so that the message itself can be compared."""
    some = {
        "priority": lambda: rnd.choice([0, 2, 3, 9, 12]),
        "shadow": lambda: "größe",
        "headers": lambda: {"tenant": value(), "trace-id": "abc"},
        "countdown": lambda: rnd.choice([0, 30.5]),
        "eta": lambda: now() + datetime.timedelta(hours=rnd.randrange(-2, 3)),
        "expires": lambda: rnd.choice([60, 3600.5, now() + datetime.timedelta(hours=1), datetime.datetime(2031, 2, 3, 4, 5, 6)]),
        "soft_time_limit": lambda: rnd.choice([20, 30.5, 40.0]),
        "time_limit": lambda: rnd.choice([40, 60]),
        "ignore_result": lambda: rnd.choice([True, False]),
        "compression": lambda: rnd.choice(["gzip", "zlib", "bzip2"]),
        "serializer": lambda: rnd.choice(["json", "json", "pickle"]),
        "retries": lambda: 2,
        "task_id": lambda: str(uuids.UUID(int=rnd.getrandbits(128), version=4)),
        "reply_to": lambda: str(uuids.UUID(int=rnd.getrandbits(128), version=4)),
        "routing_key": lambda: "nowhere",
        "message_id": lambda: "a property",
        "delivery_mode": lambda: 1,
        "foo": lambda: "bar",
        "link": lambda: [echo.s(1).set(priority=3)],
        "link_error": lambda: [note.s()],
    }
    chosen = {name: make() for name, make in some.items() if rnd.random() < 0.2}
    if "eta" in chosen:
        chosen.pop("countdown", None)
    last = elsewhere(some_sig()).set(**chosen)
    made = rnd.choice([
        lambda: chain(echo.s(1), last),
        lambda: chord(header(), last),
        lambda: echo.s(1).set(link=[last]),
        lambda: fail.s().set(link_error=[elsewhere(note.s()).set(**chosen)]),
        lambda: group(chain(echo.s(1), last), echo.s(2)),
    ])()
    if rnd.random() < 0.3:
        made.stamp(project="p1", tags=["a", "b"])
    made.apply_async()


def unknown():
    app.send_task(rnd.choice(["no.such", "größe.x", "app.tasks.nothing"]), args(), kwargs(), **options())


def protocol1():
    create = app.amqp.create_task_message  # Celery decides it when it is first asked for, by the protocol of that moment
    app.conf.task_protocol = 1
    app.amqp.create_task_message = app.amqp.as_task_v1
    try:
        rnd.choice([
            lambda: echo.apply_async(args(), kwargs()),
            lambda: fail.apply_async(),
            lambda: flaky.apply_async(kwargs={"times": 2}),
            lambda: echo.apply_async(args(), countdown=3),
            lambda: echo.apply_async(args(), link=echo.s(1)),
            lambda: fail.apply_async(link_error=note.s()),
            lambda: echo.apply_async(args(), expires=60, time_limit=40),
        ])()
    finally:
        app.amqp.create_task_message = create
        app.conf.task_protocol = 2


def extended():
    typed = [
        uuids.UUID(int=rnd.getrandbits(128)),
        datetime.datetime(2024, 1, 2, 3, 4, 5, 678901),
        datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime.date(2024, 1, 2),
        datetime.time(1, 2, 3),
        decimal.Decimal("1.50"),
        "é".encode(),
        b"\xff\x00\x01",
    ]
    echo.apply_async([rnd.choice(typed), {"deep": [rnd.choice(typed)]}])


def odd_numbers():
    odd = rnd.choice([float("nan"), float("inf"), float("-inf"), 1.0, -0.0, 1e16, 1e-05, 2**53 + 1, 10**400])
    rnd.choice([
        lambda: echo.apply_async([odd], {"deep": [odd]}),
        lambda: chain(echo.s(odd), echo.s({"deep": odd}), elsewhere(echo.s(odd))).apply_async(),
        lambda: chord([one.s(odd), one.s(1.0)])(elsewhere(echo.s(odd))),
        lambda: echo.apply_async([1], link=elsewhere(echo.s(odd)), headers={"tenant": odd}),
        lambda: later.apply_async([odd], headers={"tenant": odd}),
    ])()


def stamped():
    signature = echo.s(*args())
    signature.stamp(project="p1", tags=["a", "b"])
    signature.apply_async(**maybe(0.5, lambda: {"link": echo.s(1)}, {}))


def link():
    several = [follow_up() for _ in range(rnd.randrange(1, 4))]
    echo.apply_async(args(), link=several, **options())


def link_of_a_canvas():
    inner = rnd.choice([
        lambda: group(follow_up(), follow_up()),
        lambda: chain(follow_up(), some_sig()),
        lambda: chord([some_sig(), some_sig()], follow_up()),
    ])()
    echo.apply_async(args(), link=inner)


def link_error():
    several = [maybe(0.5, lambda: elsewhere(note.s()), None) or note.s() for _ in range(rnd.randrange(1, 3))]
    rnd.choice([some_fail(), echo.s(1)]).apply_async(link_error=several, **options())


def link_error_called_in_place():
    """With more than one argument an errback is called by a stock worker itself, with the exception."""
    fail.apply_async(link_error=one.s())


def chained():
    links = [some_sig() for _ in range(rnd.randrange(2, 5))]
    if rnd.random() < 0.4:
        links[rnd.randrange(len(links))] = some_fail()
    if rnd.random() < 0.3:
        links.insert(rnd.randrange(len(links)), flaky.si(times=1))
    if rnd.random() < 0.4:
        links[-1] = elsewhere(links[-1])
    if rnd.random() < 0.3:
        links[rnd.randrange(len(links))].set(link_error=[note.s()])
    chain(*links).apply_async()


def grouped():
    group(rnd.choice([some_sig, some_fail, some_sig])() for _ in range(rnd.randrange(1, 4))).apply_async()


def header():
    return [rnd.choice([some_sig, some_sig, lambda: flaky.s(times=1)])() for _ in range(rnd.randrange(1, 4))]


def chorded():
    chord(header())(follow_up())


def chord_failing():
    chord([*header(), some_fail()])(follow_up().set(**maybe(0.5, lambda: {"link_error": [note.s()]}, {})))


def nested():
    rnd.choice([
        lambda: chain(some_sig(), group(some_sig(), some_sig()), follow_up()),
        lambda: chain(some_sig(), group(some_sig(), follow_up())),
        lambda: chord([chain(some_sig(), some_sig()), some_sig()], follow_up()),
        lambda: chord([some_sig(), some_sig()], chain(some_sig(), follow_up())),
        lambda: chord([group(some_sig(), some_sig()), some_sig()], follow_up()),
        lambda: group(chain(some_sig(), some_sig()), some_sig()),
        lambda: chain(group(some_sig(), some_sig()), group(some_sig(), some_sig())),
        lambda: chain(some_sig(), chain(some_sig(), some_fail()), follow_up()),
    ])().apply_async()


def canvas(depth, leaves):
    """Any canvas of canvases."""
    if depth == 0:
        return rnd.choice(leaves)()
    inner = [canvas(rnd.randrange(depth), leaves) for _ in range(rnd.randrange(1, 4))]
    return rnd.choice([
        lambda: chain(*inner, some_sig()),
        lambda: group(inner),
        lambda: chord(inner, canvas(rnd.randrange(depth), leaves)),
    ])()


def send_canvas(leaves):
    while True:
        try:
            canvas(2, leaves).apply_async()
            return
        except Exception:  # some that Celery itself cannot send
            redis.flushdb()


def canvas_of_canvases():
    send_canvas([some_sig, some_sig, some_sig, lambda: flaky.s(times=1)])


def canvas_of_canvases_that_may_fail():
    send_canvas([some_sig, some_sig, some_fail])


def revoked():
    echo.apply_async(args(), task_id=f"revoked-{rnd.getrandbits(64)}", **maybe(0.5, lambda: {"countdown": 4}, {}))


def terminated():
    sleep.apply_async(kwargs={"seconds": 8}, task_id=f"terminate-{rnd.getrandbits(64)}")


def five():
    return {
        "gender": rnd.choice(["male", "female"]),
        "age_range": rnd.choice(["20-30", "30-40"]),
        "body_type": rnd.choice(["slim", "plus-size"]),
        "pose": rnd.choice(["front standing", "side"]),
        "style": rnd.choice(["casual", "editorial"]),
    }


def unique():
    return f"template {rnd.getrandbits(64)}"


def ours_health():
    health_check.delay()


def ours_generate():
    rnd.choice([
        lambda: generate_model.apply_async(kwargs={**five(), "template_id": unique()}),
        lambda: generate_model.apply_async(kwargs={**five(), "seed": 7, "save": False}),
        lambda: generate_model.apply_async([unique(), *five().values()]),
        lambda: generate_model.apply_async([{**five(), "save": False}]),
    ])()


def ours_generate_badly():
    rnd.choice([
        lambda: generate_model.apply_async(kwargs={**five(), "pose": "flying", "surprise": 1}),
        lambda: generate_model.apply_async(),
        lambda: generate_model.apply_async(list(range(12))),
        lambda: generate_model.apply_async(kwargs={**five(), "age_range": "10-17"}, link_error=[note.s()]),
    ])()


def ours_chained():
    chain(generate_model.s(**five(), template_id=unique()), edit_model.s(prompt="größer")).apply_async()


def ours_batch():
    rnd.choice([
        lambda: batch_generate.apply_async(kwargs={"templates": [five() for _ in range(rnd.randrange(1, 4))], "save": False}),
        lambda: batch_generate.apply_async(kwargs={"surprise": 1, "count": 1}),
    ])()


def bent(bend):
    """A good message, bent before it is sent; only such as do not end a stock worker."""

    def make():
        echo.apply_async([1, 2], **maybe(0.3, lambda: {"link_error": [note.s()]}, {}))
        raw = json.loads(redis.rpop("generator_queue"))
        bend(raw)
        redis.lpush("generator_queue", json.dumps(raw))

    make.__name__ = f"bent_{bend.__name__}"
    return make


def body(raw, value):
    raw["body"] = base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def body_not_json(raw):
    body(raw, '{"a": ')


def no_task(raw):
    del raw["headers"]["task"]


def no_headers(raw):
    raw["headers"] = None


def expires_a_number(raw):
    raw["headers"]["expires"] = 30


def text_plain(raw):
    raw["content-type"] = "text/plain"


def pickled(raw):
    import pickle

    raw["content-type"], raw["content-encoding"] = "application/x-python-serialize", "binary"
    body(raw, pickle.dumps(([1, 2], {}, {})))


def yaml(raw):
    raw["content-type"] = "application/x-yaml"


def unknown_type(raw):
    body(raw, '[[{"__type__": "zzz", "__value__": 1}], {}, {}]')


def unknown_compression(raw):
    raw["headers"]["compression"] = "application/x-nope"


def half_packed(raw):
    packed, raw["headers"]["compression"] = compression.compress(base64.b64decode(raw["body"]), rnd.choice(["gzip", "bzip2", "lzma"]))
    body(raw, packed[: len(packed) // 2])


def minimal(raw):
    raw["headers"] = {name: raw["headers"][name] for name in ("task", "id")}


def embed_empty(raw):
    body(raw, "[[1, 2], {}, {}]")


def embed_null(raw):
    body(raw, "[[1, 2], {}, null]")


def unencoded_body(raw):
    raw["body"] = base64.b64decode(raw["body"]).decode()
    del raw["properties"]["body_encoding"]


def redelivered(raw):
    raw["headers"]["redelivered"] = True
    raw["properties"]["delivery_info"]["redelivered"] = True


def eta_with_z(raw):
    raw["headers"]["eta"] = "2020-01-02T03:04:05Z"


def eta_naive(raw):
    raw["headers"]["eta"] = "2020-01-02T03:04:05.123"


def eta_elsewhere(raw):
    raw["headers"]["eta"] = "2020-01-02T03:04:05-05:00"


def odd_id(raw):
    raw["headers"]["id"] = raw["properties"]["correlation_id"] = f"not a uuid é {rnd.getrandbits(64)}"


def retried_before(raw):
    raw["headers"]["retries"] = 3


def zero_limits(raw):
    raw["headers"]["timelimit"] = [0, 0]


def no_reply_to(raw):
    del raw["properties"]["reply_to"]


bends = [body_not_json, no_task, no_headers, expires_a_number, text_plain, pickled, yaml, unknown_type, unknown_compression, half_packed]
bends += [minimal, embed_empty, embed_null, unencoded_body, redelivered, eta_with_z, eta_naive, eta_elsewhere, odd_id, retried_before]
bends += [zero_limits, no_reply_to]

frequent = [simple, returned, failing, link, link_error, chained, chorded, chord_failing, nested, canvas_of_canvases, canvas_of_canvases_that_may_fail, optioned]
usual = [retried, unknown, protocol1, extended, odd_numbers, stamped, link_of_a_canvas, grouped, expired, revoked]
usual += [ours_generate, ours_generate_badly, *[bent(bend) for bend in bends]]
rare = [link_error_called_in_place, retried_much_later, tomorrow, expires_before_it_is_due, soft_limit, hard_limit, terminated, ours_health, ours_chained, ours_batch]

def unpacked(raw):
    """The text of a packed body, for whoever compares messages; nothing for all others."""
    message = json.loads(raw)
    packing = (message["headers"] or {}).get("compression")
    try:
        return packing and compression.decompress(base64.b64decode(message["body"]), packing).decode()
    except Exception:  # bent
        return None


wanted = int(os.environ["ORACLE_COUNT"])
# Each kind once, and then as it falls.
kinds = [*rare, *usual, *frequent]
kinds += rnd.choices([*frequent * 4, *usual * 2], k=max(0, wanted - len(kinds)))
rnd.shuffle(kinds)
only = os.environ.get("ORACLE_KIND")
if only:
    kinds = [globals()[only]] * wanted
cases = []
for kind in kinds[:wanted]:
    redis.flushdb()
    kind()
    pushed = []
    keys = []
    for key in sorted(redis.keys("*")):
        name = key.decode()
        if redis.type(key) == b"list":
            pushed += [{"list": name, "raw": raw.decode(), "body": unpacked(raw)} for raw in reversed(redis.lrange(key, 0, -1))]
        elif redis.type(key) == b"string":
            keys.append({"key": name, "value": redis.get(key).decode()})
    cases.append({"kind": kind.__name__, "pushed": pushed, "keys": keys})
print(json.dumps(cases))
