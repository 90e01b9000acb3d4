import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import * as Canvas from "../../../src/programs/celery/canvas/Canvas.ts"
import * as Message from "../../../src/programs/celery/Message.ts"
import { UTC } from "../../../src/programs/celery/Time.ts"
import * as PythonJson from "../../../src/wire/PythonJson.ts"
import type { Outgoing } from "../../../src/services/Publisher.ts"
import { type CapturedResult, documents, fixture, messages } from "./fixtures.ts"

type Version = "5.3.6" | "5.6.3"
interface Published {
  readonly scenario: string
  readonly raw: string
}
const published = (version: Version, scenario: string) =>
  fixture<ReadonlyArray<Published>>(`worker-published-${version}`)
    // One looping task of 5.6.3 shows up in later scenarios (the README of the fixtures).
    .filter((one) => one.scenario === scenario && !one.raw.includes("hard_late_noack"))
    .map(({ raw }) => raw)

const readable = (raw: string) => {
  const { body, headers, properties, ...rest } = PythonJson.parse(raw) as {
    readonly body: string
    readonly headers: Record<string, unknown>
    readonly properties: Record<string, unknown>
  } // an envelope, captured or ours
  const { argsrepr, origin: _, "x-caller": __, ...told } = headers // who sent it, and who pays
  // What came to Python as JSON and was not touched is a list there.
  const shown = String(argsrepr).replace(/^\[(.*)\]$/, "($1)")
  return {
    ...rest,
    headers: { ...told, argsrepr: shown },
    properties,
    body: PythonJson.parse(Buffer.from(body, "base64").toString("utf8"))
  }
}

/** Ids by the order in which they turn up, so that two runs of one canvas look the same. */
const normal = (value: unknown) => {
  const seen = new Map<string, string>()
  const walk = (one: unknown): unknown => {
    if (typeof one === "string")
      return one.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
        const known = seen.get(id) ?? `id ${seen.size}`
        seen.set(id, known)
        return known
      })
    if (Array.isArray(one)) return one.map(walk)
    if (typeof one !== "object" || one === null) return one
    return Object.fromEntries(
      Object.entries(one)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, inner]) => [key, walk(inner)])
    )
  }
  return walk(value)
}

const same = (ours: ReadonlyArray<Outgoing>, theirs: ReadonlyArray<string>) =>
  assert.deepStrictEqual(normal(ours.map(({ raw }) => readable(raw))), normal(theirs.map(readable)))

const sender = (ended: Canvas.Ended) => Canvas.senderOf(ended, "celery", "celery@test", 0)
const after = (message: Message.Message, value: number) => Canvas.afterSuccess(message, value, sender(message))
const childrenOf = (version: Version, name: string, status = "SUCCESS") =>
  documents(version)
    .filter((one) => one.name === name && one.document.status === status)
    .map(({ document }) => document.children)

/** What a producer of that version sent first for a canvas. */
const sent = (version: Version, name: string, at = 0) =>
  Message.decode(messages(version).filter((one) => one.name === name)[at]!.raw, UTC)

for (const version of ["5.3.6", "5.6.3"] as const) {
  describe(`what a stock ${version} worker sends after a task, we send`, () => {
    for (const [name, scenario, value] of [
      ["the next link of a chain", "chain", 2],
      ["a group that ends a chain", "chain-ending-in-group", 2],
      ["a link", "link", 3],
      ["several links, as a group", "link-list", 3]
    ] as const) {
      it.effect(name, () =>
        Effect.gen(function* () {
          const next = after(yield* sent(version, scenario), value)
          same(next.messages, published(version, scenario).slice(0, next.messages.length))
          const children = childrenOf(version, scenario).find((one) => Array.isArray(one) && one.length > 0)
          assert.deepStrictEqual(normal(next.children), normal(children))
          assert.deepStrictEqual([next.sizes, next.groups, next.impossible], [[], [], []])
        })
      )
    }

    it.effect("the last link, with nothing left of the chain", () =>
      Effect.gen(function* () {
        const [second, third] = published(version, "chain")
        same(after(yield* Message.decode(second!, UTC), 12).messages, [third!])
      })
    )

    it.effect("a group inside a chain, as a chord whose size is known first", () =>
      Effect.gen(function* () {
        const theirs = published(version, "group-in-chain")
        const next = after(yield* sent(version, "group-in-chain-upgraded-to-chord"), 2)
        // 5.6 puts the body into the header's group; nobody reads it there, and 5.3 does not.
        const old = (raw: string) => {
          const { body, ...envelope } = PythonJson.parse(raw) as { readonly body: string } // an envelope
          const inner = JSON.parse(Buffer.from(body, "base64").toString()) as [unknown, unknown, { chord: { options: object } }]
          Reflect.deleteProperty(inner[2].chord.options, "group_id")
          return JSON.stringify({ ...envelope, body: Buffer.from(JSON.stringify(inner)).toString("base64") })
        }
        same(next.messages, theirs.slice(0, 2).map(old))
        const first = yield* Message.decode(next.messages[0]!.raw, UTC)
        assert.deepStrictEqual(next.sizes, [{ group: first.group!, size: 2 }])
        const children = childrenOf(version, "group-in-chain").find((one) => Array.isArray(one) && one.length > 0)
        assert.deepStrictEqual(normal(next.children), normal(children))
      })
    )

    const body = (scenario: string, last: string, values: ReadonlyArray<unknown>) =>
      Effect.gen(function* () {
        const header = yield* Message.decode(last, UTC)
        const parts = values.map((result, at) => ({ taskId: `task ${at}`, status: "SUCCESS", result }))
        const chord = { group: header.group!, body: header.embed.chord }
        const end = Canvas.afterChord(chord, parts, Option.none(), sender(header))
        assert.strictEqual(end._tag, "Body")
        same(end.next.messages, [published(version, scenario).at(-1)!])
      })
    it.effect("the body of a chord inside a chain", () =>
      body("group-in-chain", published(version, "group-in-chain")[0]!, [3, 4])
    )
    it.effect("the body of a chord of chains", () => body("chord-of-chains", published(version, "chord-of-chains")[0]!, [7, 4]))
    it.effect("the body of a chord in a chord", () => body("chord-in-chord", published(version, "chord-in-chord")[0]!, [6, 4]))

    for (const scenario of ["link-error-old", "link-error-unregistered"]) {
      it.effect(`the errbacks of ${scenario}`, () =>
        Effect.gen(function* () {
          const [theirs] = published(version, scenario)
          const errback = yield* Message.decode(theirs!, UTC)
          const id = String(errback.args[0])
          const signature = {
            task: errback.task,
            args: errback.args.slice(1),
            kwargs: {},
            options: {},
            subtask_type: null,
            immutable: false
          }
          const failed: Canvas.Ended = { ...errback, id, group: null, groupIndex: null, rootId: id, parentId: null, embed: {} }
          same(Canvas.afterFailure({ id, rootId: id, errbacks: [signature] }, sender(failed)).messages, [theirs!])
        })
      )
    }

    it.effect("the end of a chord with a failed header: its words, and the errbacks with the body's id", () =>
      Effect.gen(function* () {
        const header = yield* sent(version, "chord-link-error")
        const name = "chord-failing-errback"
        const stored = documents(version)
          .filter((one) => one.name === name)
          .map(({ document }) => document)
        const culprit = stored.find(({ result }) => JSON.stringify(result).includes("ValueError"))!
        const parts = [
          { taskId: "good", status: "SUCCESS", result: 2 },
          { taskId: culprit.task_id, status: "FAILURE", result: culprit.result }
        ]
        const end = Canvas.afterChord({ group: header.group!, body: header.embed.chord }, parts, Option.none(), sender(header))
        assert.isTrue(end._tag === "Failed")
        if (end._tag !== "Failed") return
        const theirs = stored.find(({ result }) => JSON.stringify(result).includes("ChordError"))!.result
        assert.deepStrictEqual(
          { exc_type: end.failure.type, exc_message: end.failure.messages, exc_module: end.failure.module },
          theirs
        )
        same(end.next.messages, published(version, name))
        assert.deepStrictEqual(
          end.neverRun.map(({ id }) => id),
          [String((yield* Message.decode(end.next.messages[0]!.raw, UTC)).args[0])]
        )
      })
    )
  })
}

it("the captures hold what these tests look for", () => {
  const names = fixture<ReadonlyArray<CapturedResult>>("results-5.3.6").map(({ name }) => name)
  for (const name of ["chain", "group-in-chain", "chord-of-chains", "chord-failing-errback"]) assert.include(names, name)
})

describe("whatever a canvas says", () => {
  const Json = Schema.Union([
    Schema.Null,
    Schema.String,
    Schema.Int,
    Schema.Array(Schema.String),
    Schema.Record(Schema.String, Schema.Null)
  ])
  const option = [
    "task_id",
    "queue",
    "priority",
    "eta",
    "expires",
    "chord",
    "chain",
    "link",
    "link_error",
    "stamped_headers"
  ] as const
  const Strange = Schema.Struct({
    kind: Schema.Literals(["group", "chain", "chord", "", "fan"]),
    inner: Schema.Literals(["group", "chain", "chord", ""]),
    options: Schema.Record(Schema.Literals(option), Schema.optionalKey(Json)),
    where: Schema.Literals(["options", "kwargs", "tasks", "body", "args"]),
    value: Json
  })
  const [sent] = messages("5.3.6")
  it.effect.prop(
    "something follows or somebody is told why not: nothing is thrown and nothing passed over",
    { strange: Strange },
    ({ strange }) =>
      Effect.gen(function* () {
        const { inner, kind, options, value, where } = strange
        const leaf = {
          task: "t",
          args: [],
          kwargs: {},
          options: { task_id: "leaf", ...options },
          subtask_type: null,
          immutable: false
        }
        const nest = (subtask_type: string, of: object, more: object) =>
          subtask_type === ""
            ? { ...of, ...more }
            : {
                task: `celery.${subtask_type}`,
                args: [],
                kwargs: { tasks: [of, of], header: [of, of], body: of, kwargs: {} },
                options: {},
                subtask_type,
                immutable: false,
                ...more
              }
        const damage = where === "tasks" || where === "body" ? { kwargs: { [where]: value } } : { [where]: value }
        const ended = {
          ...(yield* Message.decode(sent!.raw, UTC)),
          embed: { chain: [nest(kind, nest(inner, leaf, {}), damage)] }
        }
        const next = Canvas.afterSuccess(ended, 1, sender(ended))
        const empty = where === "tasks" && Array.isArray(value) && value.length === 0 // a group of nobody
        assert.isTrue(empty || next.messages.length + next.impossible.length > 0)
        const parts = [{ taskId: "a", status: "SUCCESS", result: value }]
        const end = Canvas.afterChord({ group: "g", body: ended.embed.chain[0] }, parts, Option.none(), sender(ended))
        assert.isTrue(end._tag === "Failed" || empty || end.next.messages.length + end.next.impossible.length > 0)
        Canvas.restOfChain(ended)
      }),
    { arbitrary: { runs: 500 } }
  )
})
