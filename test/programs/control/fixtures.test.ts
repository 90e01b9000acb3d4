import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { fixture } from "../celery/fixtures.ts"
import { five } from "../world.ts"
import { makeFleet } from "./fleet.ts"

interface Captured {
  readonly name: string
  readonly request_body_decoded?: Readonly<Record<string, unknown>> & { readonly method: string; readonly reply_to?: unknown }
  readonly replies?: ReadonlyArray<{ readonly body_decoded: Readonly<Record<string, unknown>> }>
}

/** Our tasks have other names than those of the capture. */
const ours = (text: string) => text.replaceAll("app.tasks.add", "app.tasks.generate_model")
const asked = ({ request_body_decoded: body }: Captured) => {
  const { reply_to: _, ticket: __, ...rest } = JSON.parse(ours(JSON.stringify(body))) as Record<string, unknown> // as captured
  return rest
}
const replyOf = ({ replies }: Captured) => JSON.parse(ours(JSON.stringify(replies?.[0]?.body_decoded ?? {}))) as unknown

/** Which kinds of values are where: what a client that reads replies relies on. Null stands for anything. */
const shape = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shape(value[0])]
  if (typeof value !== "object" || value === null) return typeof value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, shape(inner)])
      .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))
  )
}

/** Ours differ by design: see the comments of `src/programs/remote`. */
const different = new Set([
  "pool_restart-disabled",
  "memsample",
  "memdump",
  "report",
  "conf",
  "conf-defaults",
  "registered-attrs"
])
/** They show what a worker holds, which is not the same here; their form is compared. */
const shown = [
  "active",
  "active-json",
  "active-safe",
  "dump_active-alias",
  "scheduled",
  "scheduled-safe-arg",
  "reserved",
  "query_task"
]
const forms = new Set([...shown, "stats", "active_queues", "active_queues-3", "clock", "registered", "hello-mingle"])

// 5.2.6 lists a set without braces and says null for what is not redelivered; its clients read what 5.3.6 says all the same.
for (const version of ["5.3.6", "5.6.3"] as const) {
  // The second worker of the capture ran without -E.
  const captured = fixture<ReadonlyArray<Captured>>(`pidbox-${version}`).filter(
    ({ name, replies, request_body_decoded: body }) =>
      body !== undefined &&
      body.reply_to !== undefined &&
      !different.has(name) &&
      !(replies ?? []).some(({ body_decoded }) => "w2@host" in body_decoded)
  )
  describe(`the control messages captured of celery ${version}`, () => {
    it.effect("are answered word for word, where words are all there is", () =>
      Effect.gen(function* () {
        const { call, start } = yield* makeFleet
        yield* start("w1@host", { WORKER_SEND_TASK_EVENTS: "true" })
        const differences: Array<unknown> = []
        let compared = 0
        for (const item of captured) {
          if (forms.has(item.name) || item.name === "control-shutdown") continue
          // What it depends on is another test's matter: here nothing runs.
          if (["terminate", "revoked"].includes(item.name)) continue
          const answer = yield* call(asked(item))
          const expected = replyOf(item)
          compared++
          if (JSON.stringify(answer) !== JSON.stringify(expected)) differences.push({ name: item.name, answer, expected })
        }
        assert.deepStrictEqual(differences, [])
        assert.isAbove(compared, 25)
      })
    )

    it.effect("are answered in the same form, where a worker shows what it holds", () =>
      Effect.gen(function* () {
        const { call, script, seconds, send, start } = yield* makeFleet
        yield* start("w1@host", { WORKER_PREFETCH_MULTIPLIER: "2" })
        yield* script.jobs({ ends: "never" })
        const running = yield* send({ task: "app.tasks.generate_model", kwargs: five })
        const waiting = yield* send({ args: [1, "x"], priority: 3 })
        yield* send({ eta: "2099-01-01T00:00:00+00:00" }) // no third slot: the scheduler's test is below
        yield* seconds(2)
        const differences: Array<unknown> = []
        for (const item of captured) {
          if (!forms.has(item.name) || item.name.startsWith("scheduled")) continue
          const request = asked(item)
          const body = item.name === "query_task" ? { ...request, arguments: { ids: [running, waiting] } } : request
          const [answer] = Object.values(yield* call(body))
          const [expected] = Object.values(replyOf(item) as Record<string, unknown>) // one worker's
          const plain = (value: unknown) =>
            item.name === "query_task"
              ? Object.values(value as Record<string, ReadonlyArray<unknown>>)
                  .map(([state, info]) => ({ state, keys: Object.keys(info as object).toSorted() }))
                  .slice(0, 2)
              : item.name === "hello-mingle"
                ? Object.keys(value as object)
                : shape(withoutOpen(value))
          if (JSON.stringify(plain(answer)) !== JSON.stringify(plain(expected)))
            differences.push({ name: item.name, answer: plain(answer), expected: plain(expected) })
        }
        assert.deepStrictEqual(differences, [])
      })
    )
  })
}

/** Leaves out what is a table by task names, a task's own arguments, or named by what it is: its keys differ by nature. */
const withoutOpen = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutOpen)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key]) => !["total", "args", "kwargs", "transport_options", "max-tasks-per-child", "connect_timeout"].includes(key)
      )
      .map(([key, inner]) => [key, withoutOpen(inner)])
  )
}

describe("inspect scheduled", () => {
  it.effect("lists the broker's scheduled messages once, by the first worker by name", () =>
    Effect.gen(function* () {
      const { call, send, start } = yield* makeFleet
      yield* start("w2@host")
      yield* start("w1@host")
      const id = yield* send({ eta: "2099-01-01T00:00:00+00:00", priority: 3 })
      yield* TestClock.adjust("6 seconds")
      const answers = yield* call({ method: "scheduled" })
      assert.deepStrictEqual(answers["w2@host"], [])
      const item = fixture<ReadonlyArray<Captured>>("pidbox-5.3.6").find(({ name }) => name === "scheduled")
      assert.deepStrictEqual(
        shape(withoutOpen((answers["w1@host"] as ReadonlyArray<unknown>)[0])),
        shape(withoutOpen((replyOf(item!) as Record<string, ReadonlyArray<unknown>>)["w1@host"]![0]))
      )
      assert.deepInclude((answers["w1@host"] as ReadonlyArray<object>)[0], {
        eta: "2099-01-01T00:00:00.000000+00:00",
        priority: 6
      })
      assert.include(JSON.stringify(answers["w1@host"]), id)
    })
  )
})
