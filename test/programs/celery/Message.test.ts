import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Option, Result, Schema } from "effect"
import { brotliCompressSync, deflateSync, inflateSync, zstdCompressSync } from "node:zlib"
import * as Message from "../../../src/programs/celery/Message.ts"
import * as NewMessage from "../../../src/programs/celery/NewMessage.ts"
import * as TaskEvent from "../../../src/programs/celery/TaskEvent.ts"
import { UTC } from "../../../src/programs/celery/Time.ts"
import * as PythonJson from "../../../src/wire/PythonJson.ts"
import { message, uniqueId } from "../../support.ts"
import { fixture, messages, versions } from "./fixtures.ts"

const decode = (raw: string) => Effect.result(Message.decode(raw, UTC))
const read = (raw: string) => Effect.map(decode(raw), Result.getOrThrow)
const at = (text: string) => Option.some(Date.parse(text))

describe("a time without an offset", () => {
  const etaIn = (zone: string | undefined, eta: string) =>
    Effect.map(Message.decode(message({ eta }).raw, zone === undefined ? UTC : DateTime.zoneMakeNamedUnsafe(zone)), (read) =>
      new Date(Option.getOrThrow(read.eta)).toISOString()
    )

  it.effect("is UTC, or of the worker's zone in summer and in winter", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* etaIn(undefined, "2031-07-03T04:05:06.5"), "2031-07-03T04:05:06.500Z")
      assert.strictEqual(yield* etaIn("Europe/Berlin", "2031-07-03T04:05:06.5"), "2031-07-03T02:05:06.500Z")
      assert.strictEqual(yield* etaIn("Europe/Berlin", "2031-02-03T04:05:06"), "2031-02-03T03:05:06.000Z")
      assert.strictEqual(yield* etaIn("Europe/Berlin", "2031-02-03"), "2031-02-02T23:00:00.000Z")
      assert.strictEqual(yield* etaIn("Asia/Kolkata", "2031-02-03T04:05:06"), "2031-02-02T22:35:06.000Z")
    })
  )

  it.effect("is the earlier one where the clocks go back, and as far behind the change where they skip it", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* etaIn("Europe/Berlin", "2026-10-25T02:30:00"), "2026-10-25T00:30:00.000Z")
      assert.strictEqual(yield* etaIn("Europe/Berlin", "2026-03-29T02:30:00"), "2026-03-29T01:30:00.000Z")
    })
  )

  it.effect("is nothing to one that has an offset", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* etaIn("Europe/Berlin", "2031-07-03T04:05:06-05:00"), "2031-07-03T09:05:06.000Z")
      assert.strictEqual(yield* etaIn("Europe/Berlin", "2031-07-03T04:05:06Z"), "2031-07-03T04:05:06.000Z")
    })
  )

  it.effect("is told in events as the moment it is", () =>
    Effect.gen(function* () {
      const told = (zone: string, eta: string) =>
        Effect.map(Message.decode(message({ eta }).raw, DateTime.zoneMakeNamedUnsafe(zone)), (read) =>
          TaskEvent.received(read, { name: "", argsrepr: "", kwargsrepr: "" })
        )
      assert.strictEqual((yield* told("UTC", "2031-07-03T04:05:06.000007"))["eta"], "2031-07-03T04:05:06.000007+00:00")
      assert.strictEqual((yield* told("Europe/Berlin", "2031-07-03T04:05:06"))["eta"], "2031-07-03T02:05:06.000000+00:00")
    })
  )
})

/** What the Python call says must come out, by the call's name. Messages that are not named must decode all the same. */
const says: Record<string, (message: Message.Message, list: string) => void> = {
  kwargs: ({ args, kwargs, task }) =>
    assert.deepStrictEqual({ args, kwargs, task }, { args: [], kwargs: { a: 1, b: "two" }, task: "app.tasks.echo" }),
  args: ({ args, kwargs }) => assert.deepStrictEqual({ args, kwargs }, { args: [2, 3], kwargs: {} }),
  "send-task-unregistered": ({ kwargs, task }) =>
    assert.deepStrictEqual({ kwargs, task }, { kwargs: { z: null }, task: "no.such" }),
  countdown: ({ eta, expires }) => assert.isTrue(Option.isSome(eta) && Option.isNone(expires)),
  "eta-naive": ({ eta }) => assert.deepStrictEqual(eta, at("2031-02-03T04:05:06Z")),
  "eta-micro": ({ eta }) => assert.deepStrictEqual(eta, at("2031-02-03T04:05:06Z")),
  "eta-aware": ({ eta }) => assert.deepStrictEqual(eta, at("2031-02-03T09:05:06Z")),
  "expires-seconds": ({ eta, expires }) => assert.isTrue(Option.isNone(eta) && Option.isSome(expires)),
  "expires-datetime": ({ expires }) => assert.deepStrictEqual(expires, at("2031-02-03T04:05:06Z")),
  "expires-past": ({ expires }) => assert.deepStrictEqual(expires, at("2001-02-03T04:05:06Z")),
  ...Object.fromEntries(
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12].map((priority) => [
      `priority-${priority}`,
      (decoded: Message.Message) => assert.strictEqual(decoded.priority, priority)
    ])
  ),
  queue: (_, list) => assert.strictEqual(list, "media"),
  // 5.2.6 sends no index.
  group: ({ group, groupIndex }) => assert.isTrue(group !== null && [0, 1, null].includes(groupIndex)),
  chain: ({ embed }) =>
    assert.deepStrictEqual(
      embed.chain?.map((signature) => [signature["args"], signature["immutable"]]),
      [
        [[7, 7], true],
        [[10], false]
      ]
    ),
  chord: ({ embed }) => assert.strictEqual(embed.chord?.["task"], "app.tasks.xsum"),
  link: ({ embed }) =>
    assert.deepStrictEqual(
      embed.callbacks?.map((signature) => signature["args"]),
      [[100]]
    ),
  "link-list": ({ embed }) => assert.strictEqual(embed.callbacks?.length, 2),
  "link-error": ({ embed }) => assert.strictEqual(embed.errbacks?.[0]?.["task"], "app.tasks.errback_old"),
  "ignore-result": ({ ignoreResult }) => assert.isTrue(ignoreResult),
  retries: ({ retries }) => assert.strictEqual(retries, 3),
  timelimit: ({ limits }) => assert.deepStrictEqual(limits, { soft: 50, hard: 60 }),
  "task-id": ({ id, rootId }) => assert.deepStrictEqual({ id, rootId }, { id: "my-own-id", rootId: "my-own-id" }),
  "custom-headers": ({ envelope }) => assert.deepInclude(envelope.headers, { "x-my": "v", n: { a: 1 } }),
  "reply-to": ({ replyTo }) => assert.strictEqual(replyTo, "someq"),
  unicode: ({ args, kwargs }) =>
    assert.deepStrictEqual({ args, kwargs }, { args: ['é ✓ 日本 😀\u2028\u0000"\\'], kwargs: { ключ: "значение" } }),
  "large-50k": ({ args }) => assert.deepStrictEqual(args, ["x".repeat(50_000)]),
  "types-misc": ({ args }) => {
    const [[, , , , notANumber, big]] = [args[0] === undefined ? [] : args] as [ReadonlyArray<unknown>]
    assert.deepStrictEqual(args.slice(0, 4), [
      [1, [2, 3]],
      { "1": "b", null: "n" },
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY
    ])
    assert.isNaN(notANumber)
    assert.strictEqual(big, 10n ** 30n)
  },
  "compression-zlib": ({ args, task }) => assert.isTrue(task === "app.tasks.echo" && args.length === 1),
  "compression-gzip": ({ args, task }) => assert.isTrue(task === "app.tasks.echo" && args.length === 1),
  "compression-bzip2": ({ args, task }) => assert.isTrue(task === "app.tasks.echo" && args.length === 1)
}

/** What cannot be read, and the exception the caller gets for it. */
const refused: Record<string, string> = {
  // The capture put "host" for its machine's name, and these bytes held that name by chance: the checksum tells.
  "compression-lzma": "DecodeError",
  "serializer-pickle": "ContentDisallowed",
  "serializer-yaml": "ContentDisallowed",
  "serializer-msgpack": "ContentDisallowed"
}

for (const version of versions) {
  describe(`every message a Celery ${version} producer sent`, () => {
    for (const { at: place, bodies, how, list, name, raw } of messages(version)) {
      const refusal = refused[name]
      it.effect(
        `${how}${place === 0 ? "" : ` (message ${place + 1})`} ${refusal === undefined ? "is read as it was meant" : "is refused"}`,
        () =>
          Effect.gen(function* () {
            const decoded = yield* decode(raw)
            if (refusal !== undefined) {
              assert.isTrue(Result.isFailure(decoded))
              const problem = Result.getOrThrow(Result.flip(decoded))
              assert.isTrue(problem._tag === "Undeliverable" && problem.failure.type === refusal && problem.task !== null)
              return
            }
            const one = Result.getOrThrow(decoded)
            const body = PythonJson.stringify([one.args, one.kwargs, { ...one.embed }])
            if (name.startsWith("compression")) assert.isTrue(body.startsWith('[["yyyyyyyy'), body.slice(0, 20))
            else assert.include(bodies.map(PythonJson.stringify), body)
            assert.strictEqual(one.crashes, 0)
            says[name]?.(one, list)
          })
      )
    }
  })
}

describe("a protocol 1 producer", () => {
  const { queue } = fixture<{ queue: { celery: { items_head_to_tail: ReadonlyArray<string> } } }>("protocol1-5.3.6")
  const [plain, withCallback] = queue.celery.items_head_to_tail as [string, string] // two of them, by the capture

  it.effect("is understood: everything is in the body", () =>
    Effect.gen(function* () {
      const decoded = yield* read(plain)
      assert.deepInclude(decoded, {
        id: "b83f421d-0c2c-44e8-8da4-096e6b266bc8",
        task: "app.tasks.add",
        args: [7],
        kwargs: { y: 8 },
        retries: 0
      })
    })
  )

  it.effect("has its times and callbacks understood too", () =>
    Effect.gen(function* () {
      const decoded = yield* read(withCallback)
      assert.deepStrictEqual(decoded.eta, at("2026-11-23T16:32:38.454Z"))
      assert.deepStrictEqual(decoded.expires, at("2026-11-23T16:33:33.454Z"))
      assert.deepStrictEqual(
        decoded.embed.callbacks?.map(({ args, task }) => ({ args, task })),
        [{ args: [3], task: "app.tasks.add" }]
      )
    })
  )

  it.effect("is retried as protocol 2 without losing its arguments", () =>
    Effect.gen(function* () {
      const decoded = yield* read(plain)
      const again = yield* read(NewMessage.again(decoded, { tag: "t", queue: "celery", eta: 1000, retries: 1, uncounted: 0 }).raw)
      assert.deepInclude(again, { id: decoded.id, task: decoded.task, args: [7], kwargs: { y: 8 }, retries: 1, uncounted: 0 })
      const late = yield* read(withCallback)
      const lateAgain = yield* read(
        NewMessage.again(late, { tag: "t", queue: "celery", eta: 2000, retries: 1, uncounted: 0 }).raw
      )
      assert.deepStrictEqual([lateAgain.expires, lateAgain.embed], [late.expires, late.embed])
      assert.deepStrictEqual(lateAgain.eta, Option.some(2000))
    })
  )
})

describe("messages that killed or escaped a stock worker", () => {
  const items = fixture<ReadonlyArray<{ case: string; pushed: string; result: string | null }>>("malformed-5.3.6")
  /** What we know better than stock: enough is there to run them. */
  const understood = new Set(["no-id-header", "no-delivery_info", "priority-string", "unknown-__type__"])
  for (const { case: name, pushed, result } of items) {
    it.effect(`${name} ${result !== null || understood.has(name) ? "is read" : "is refused with a reason"}`, () =>
      Effect.gen(function* () {
        const decoded = yield* decode(pushed)
        if (result !== null || understood.has(name)) {
          assert.strictEqual(Result.getOrThrow(decoded).task, "app.tasks.add")
          return
        }
        const problem = Result.getOrThrow(Result.flip(decoded))
        if (problem._tag === "Undeliverable") {
          assert.strictEqual(problem.id, name) // who waits for it is told
          assert.match(problem.failure.message, /(headers|body|content)/)
        } else {
          assert.include(["not-json", "json-but-not-envelope", "headers-null"], name)
          assert.notStrictEqual(problem.problem, "")
        }
      })
    )
  }
})

const withBody = (body: string, over: { headers?: object; properties?: object; "content-type"?: string | null } = {}) =>
  JSON.stringify({
    body,
    "content-encoding": "utf-8",
    "content-type": "application/json",
    ...over,
    headers: { task: "health_check", id: "the-id", ...over.headers },
    properties: { body_encoding: "base64", ...over.properties }
  })
const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64")
const failureOf = (raw: string) =>
  Effect.map(decode(raw), (decoded) => {
    const problem = Result.getOrThrow(Result.flip(decoded))
    return problem._tag === "Undeliverable" ? `${problem.id}: ${problem.failure.message}` : `dead: ${problem.problem}`
  })

// Made by Python's bz2 and lzma of 64 MB of blanks, and deflated to be short.
const BZ2 = "eNpzisqwNHSMVAuO3KqUup8xvk+A4QADA4cCg0GDr5vTAtWVXA3TIfIrFr24x7Co9AJQ3gGsQmGpiWSfqauL2lFXF/XunUpzNDwSiwUvNAAAShMbLA=="
const XZ =
  "eNr7a14VEcXAwPLs2hY3JgZFRjEGBoYS/aeL//8XZMyJZRDI/73/3+KNcU9/2G9apRb6I6PAsUCUv/evnI90l9N2yS+ZEoXr0pS7unz1F/PerF/2uEdZMPhBpMTR0q5H5T+2TannyTpwr8Qz5dHLmOBNLDe+u/CsjufNdXv59HBZx/Zp4Wu2+T7MlM3/7d0hkON0usM+hqH/gt96NY0phfK2/SoPC+YtV45/o3G69eLUGV11WhM/qZd+lzzANsN3xt8b669O4D+iGvzj60QzQ9alG97lHyzwdee5OFFw1doE2V3nNqpLxES2vUwLitj3smxN5JOn0awcP4/fWvvnd5B2yVm5aAWnn3eDbX9opnBaN5zWyrm/1frDkb168av47bzTnCYI8/0XmPyjsCLyB/fZ/1M13PhX/qm593uWgV7Ygf7Wz82NB1KpbPUeD/VnEfP/CzBqM7wpDl7+d9+6GkOp+dt7DfNGThiQZnUgv/2m0QAbDbDRABsNsNEAGw2w0QAbDbDRABsNsNEAGw2w0QAbDbDRABsNsNEAGw2w0QAbDbDRABsNsNEAGw2w0QAbDbDRABsNsNEAGw2w0QAbDbDRABsNsNEAG6gAa5C9x8DG8Prh+Uh1BgaGNB/7acUZ35kZGJt9GxoaFLKtJ3/feCT9NxNQjoElMgoAiNBwGg=="

describe("a body packed by kombu", () => {
  const text = '[["café"], {}, {}]'
  const packed = {
    "application/x-gzip": deflateSync(text),
    "application/x-bz2": Buffer.from(
      "QlpoOTFBWSZTWYvNe08AAAUbgFAEQCAADisAAgogACGo0ep6g2kKYAAgZKp7kl9ThNsUPi7kinChIRea9p4=",
      "base64"
    ),
    "application/x-lzma": Buffer.from(
      "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAWW1siY2FmXHUwMGU5Il0sIHt9LCB7fV0AACRV0iskexYHAAEvF4EISbEftvN9AQAAAAAEWVo=",
      "base64"
    ),
    "application/x-brotli": brotliCompressSync(text),
    "application/zstd": zstdCompressSync(text)
  }
  const Byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
  for (const [compression, bytes] of Object.entries(packed)) {
    it.effect.prop(
      `and damaged is read or refused, never thrown at us: ${compression}`,
      { from: Schema.Natural, put: Schema.Array(Byte) },
      ({ from, put }) =>
        Effect.gen(function* () {
          const damaged = Buffer.from(bytes)
          damaged.set(put.slice(0, 4), from % (damaged.length - 4))
          const exit = yield* Effect.exit(decode(withBody(base64(damaged), { headers: { compression } })))
          assert.strictEqual(exit._tag, "Success")
        })
    )

    it.effect(`is read: ${compression}`, () =>
      Effect.gen(function* () {
        const { args } = yield* read(withBody(base64(bytes), { headers: { compression } }))
        assert.deepStrictEqual(args, ["café"])
      })
    )
  }
})

describe("what a message may not do", () => {
  const bombs = {
    "application/x-gzip": deflateSync(Buffer.alloc(64 * 1024 * 1024, " ")),
    "application/x-brotli": brotliCompressSync(Buffer.alloc(64 * 1024 * 1024, " ")),
    "application/zstd": zstdCompressSync(Buffer.alloc(64 * 1024 * 1024, " ")),
    "application/x-bz2": inflateSync(Buffer.from(BZ2, "base64")),
    "application/x-lzma": inflateSync(Buffer.from(XZ, "base64"))
  }
  for (const [compression, bomb] of Object.entries(bombs)) {
    it.effect(`unpack into more than 16 MB (${compression})`, () =>
      Effect.gen(function* () {
        assert.strictEqual(
          yield* failureOf(withBody(base64(bomb), { headers: { compression } })),
          `the-id: DecodeError: body: cannot be unpacked as ${compression}: more than 16777216 bytes, which is the most that is read`
        )
      })
    )

    it.effect(`say that it is packed when it is not, or only half of it (${compression})`, () =>
      Effect.gen(function* () {
        for (const body of [Buffer.alloc(0), Buffer.from("[[],{},{}]"), bomb.subarray(0, bomb.length / 2)])
          assert.match(yield* failureOf(withBody(base64(body), { headers: { compression } })), /^the-id: DecodeError: body: /)
      })
    )
  }

  it.effect("nest so deep that code which walks it would overflow", () =>
    Effect.gen(function* () {
      const deep = `[[${"[".repeat(100_000)}${"]".repeat(100_000)}],{},{}]`
      assert.match(yield* failureOf(withBody(base64(deep))), /^the-id: DecodeError: body: nested more than 100 levels/)
    })
  )

  it.effect("say wrong things in its headers unnoticed: each is named", () =>
    Effect.gen(function* () {
      const raw = withBody(base64("[[],{},{}]"), { headers: { retries: -1, eta: "soon", timelimit: [1], ignore_result: "yes" } })
      const told = yield* failureOf(raw)
      for (const header of ["retries", "eta", "timelimit", "ignore_result"]) assert.include(told, header)
    })
  )

  it.effect("call itself something that is not JSON", () =>
    Effect.gen(function* () {
      for (const type of ["application/x-python-serialize", "application/x-yaml", "application/json; charset=utf-8", "", null])
        assert.match(yield* failureOf(withBody(base64("[[],{},{}]"), { "content-type": type })), /^the-id: ContentDisallowed/)
    })
  )

  it.effect("have no id anywhere and be answered: it is for the dead letters", () =>
    Effect.gen(function* () {
      assert.match(yield* failureOf(withBody(base64("[[],{},{}]"), { headers: { id: null } })), /^dead: .*id/)
      assert.match(yield* failureOf(withBody(base64("[["), { headers: { id: "" } })), /^dead: .*id/)
    })
  )

  it.effect("hide its id: that of its properties will do", () =>
    Effect.gen(function* () {
      const decoded = yield* read(
        withBody(base64("[[],{},{}]"), { headers: { id: undefined }, properties: { correlation_id: "theirs" } })
      )
      assert.strictEqual(decoded.id, "theirs")
    })
  )
})

describe("who pays for what a task buys", () => {
  const cases: ReadonlyArray<readonly [headers: Readonly<Record<string, unknown>>, caller: string]> = [
    [{ origin: "gen4711@app-1" }, "gen@app-1"],
    [{ origin: "celery@worker" }, "celery@worker"],
    [{ origin: "gen4711@app-1", "x-caller": "studio" }, "studio"],
    [{ origin: "gen4711@app-1", "x-caller": " the\n\u0007studio\u0000 " }, "the studio"],
    [{ origin: "gen4711@app-1", "x-caller": "" }, "gen@app-1"],
    [{ origin: "gen4711@app-1", "x-caller": ["studio"] }, "gen@app-1"],
    [{ origin: "gen4711@app-1", "x-caller": "x".repeat(1_000_000) }, "x".repeat(100)],
    [{ origin: "gen4711@app-1", "x-caller": `${"x".repeat(99)}\ud83d\ude00` }, "x".repeat(99)],
    [{ origin: 7 }, "unknown"],
    [{}, "unknown"]
  ]
  for (const [headers, caller] of cases)
    it(`is ${caller.slice(0, 20)} for ${JSON.stringify(headers).slice(0, 60)}`, () =>
      assert.strictEqual(Message.callerOf(headers), caller))
})

describe("a retried message", () => {
  it.effect("is the same task: body, headers of its own, priority and group, with one retry more", () =>
    Effect.gen(function* () {
      const sent = message({
        args: [1n << 70n],
        kwargs: { a: "я" },
        priority: 6,
        group: "g",
        groupIndex: 3,
        headers: { "x-my": "v" },
        limits: { soft: 5, hard: 6 }
      })
      const first = yield* read(sent.raw)
      const next = NewMessage.again(first, {
        tag: "new",
        queue: "generator_queue",
        eta: Date.parse("2031-02-03T04:05:06.789Z"),
        retries: 1,
        uncounted: 0
      })
      const second = yield* read(next.raw)
      assert.deepInclude(second, {
        id: first.id,
        args: [1n << 70n],
        kwargs: { a: "я" },
        priority: 6,
        group: "g",
        groupIndex: 3,
        retries: 1,
        limits: { soft: 5, hard: 6 },
        eta: at("2031-02-03T04:05:06.789Z")
      })
      assert.strictEqual(second.envelope.headers["x-my"], "v")
      assert.deepInclude(next, { tag: "new", priority: 6, queue: "generator_queue" })
      assert.strictEqual(second.envelope.properties?.["delivery_tag"], "new")
    })
  )

  it.effect("tells what is known of the request its task pays for, until that is known to be nothing", () =>
    Effect.gen(function* () {
      const known = { attempt: 0.25, requestId: "r-1" }
      const next = { tag: "t", queue: "q", eta: 0, retries: 1, uncounted: 0 }
      const first = yield* read(NewMessage.again(yield* read(message().raw), { ...next, generation: known }).raw)
      assert.deepStrictEqual(first.generation, known)
      const second = yield* read(NewMessage.again(first, next).raw)
      assert.deepStrictEqual(second.generation, known)
      const third = yield* read(NewMessage.again(second, { ...next, generation: null }).raw)
      assert.isUndefined(third.generation)
    })
  )

  it.effect("has the keys Celery's own retries have", () =>
    Effect.gen(function* () {
      const ours = yield* read(
        NewMessage.again(yield* read(message().raw), { tag: "t", queue: "q", eta: 0, retries: 1, uncounted: 0 }).raw
      )
      const theirs = yield* read(messages("5.3.6")[0]!.raw)
      assert.deepStrictEqual(Object.keys(ours.envelope.headers).sort(), Object.keys(theirs.envelope.headers).sort())
      assert.deepStrictEqual(
        Object.keys(ours.envelope.properties ?? {}).sort(),
        Object.keys(theirs.envelope.properties ?? {}).sort()
      )
    })
  )
})

const Text = Schema.String
const Plain = Schema.Union([Text, Schema.Int, Schema.Boolean, Schema.Null, Schema.Array(Text)])

describe("any message", () => {
  it.effect.prop(
    "survives the wire as it was sent",
    { args: Schema.Array(Plain), kwargs: Schema.Record(Text, Plain), retries: Schema.Natural, queue: Schema.NonEmptyString },
    ({ args, kwargs, queue, retries }) =>
      Effect.gen(function* () {
        const id = uniqueId()
        const decoded = yield* read(message({ id, args, kwargs, retries, queue }).raw)
        // Through JSON, which has no -0 and sorts no keys.
        assert.strictEqual(JSON.stringify([decoded.args, decoded.kwargs]), JSON.stringify([args, kwargs]))
        assert.deepInclude(decoded, { id, retries })
      })
  )

  it.effect.prop(
    "made of random bytes is refused, never thrown at us",
    { bytes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))) },
    ({ bytes }) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(decode(Buffer.from(bytes).toString("utf8")))
        assert.isTrue(exit._tag === "Success" && Result.isFailure(exit.value))
        const body = yield* Effect.exit(decode(withBody(Buffer.from(bytes).toString("base64"))))
        assert.strictEqual(body._tag, "Success")
      })
  )

  const all = versions.flatMap((version) => messages(version).map(({ raw }) => raw)).filter((raw) => raw.length < 5000)
  const Mutation = Schema.Struct({
    which: Schema.Natural,
    from: Schema.Natural,
    drop: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
    insert: Text
  })
  it.effect.prop(
    "damaged on its way is read or refused, never thrown at us",
    { mutations: Schema.Array(Mutation) },
    ({ mutations }) =>
      Effect.gen(function* () {
        let raw = all[(mutations[0]?.which ?? 0) % all.length]!
        for (const { drop, from, insert } of mutations) {
          const place = from % (raw.length + 1)
          raw = raw.slice(0, place) + insert + raw.slice(place + drop)
        }
        const exit = yield* Effect.exit(decode(raw))
        assert.strictEqual(exit._tag, "Success")
      })
  )

  // Damage inside the JSON value instead of its text, so that it gets further in.
  const Strange = Schema.Union([Schema.Null, Schema.Boolean, Schema.Finite, Text, Schema.Array(Text), Schema.Record(Text, Text)])
  const places = [
    ["body"],
    ["headers"],
    ["properties"],
    ["content-type"],
    ["content-encoding"],
    ...[
      "task",
      "id",
      "eta",
      "expires",
      "group",
      "group_index",
      "retries",
      "timelimit",
      "root_id",
      "parent_id",
      "ignore_result",
      "compression"
    ].map((key) => ["headers", key]),
    ...["correlation_id", "reply_to", "priority", "body_encoding", "delivery_tag", "delivery_info", "crashes"].map((key) => [
      "properties",
      key
    ])
  ]
  it.effect.prop(
    "with anything in place of one of its fields is read or refused, never thrown at us",
    { which: Schema.Natural, place: Schema.Natural, value: Strange },
    ({ place, value, which }) =>
      Effect.gen(function* () {
        const envelope = JSON.parse(all[which % all.length]!.replaceAll(/\bNaN\b|-?\bInfinity\b/g, "0")) as Record<
          string,
          Record<string, unknown>
        > // an envelope, captured
        const [first, second] = places[place % places.length]! as [string, string?]
        if (second === undefined) Object.assign(envelope, { [first]: value })
        else envelope[first]![second] = value
        const exit = yield* Effect.exit(decode(JSON.stringify(envelope)))
        assert.strictEqual(exit._tag, "Success")
      })
  )
})
