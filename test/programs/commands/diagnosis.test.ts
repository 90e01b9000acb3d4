import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"
import { diagnose } from "../../../src/programs/commands/diagnosis.ts"
import type { Survey } from "../../../src/programs/commands/survey.ts"
import type { QueueStatus } from "../../../src/services/QueueInspector.ts"

const worker: QueueStatus["workers"][number] = {
  name: "celery@one",
  boot: "b",
  host: "one",
  pid: 1,
  version: "1",
  queues: ["q"],
  startedAt: 0,
  metrics: "127.0.0.1:9101",
  processed: 3,
  consuming: true,
  doing: "",
  alive: true,
  beatSecondsAgo: 2,
  holds: 0
}
const queue: QueueStatus["queues"][number] = {
  queue: "q",
  ready: { "0": 2, "3": 0, "6": 1, "9": 0 },
  dead: 0,
  oldestSeconds: Option.some(20)
}
const status: QueueStatus = { queues: [queue], unacknowledged: 1, scheduled: 1, clockAheadSeconds: 0.02, workers: [worker] }
const well = <A>(value: A) => ({ ms: 3, said: Result.succeed(value) })
const ill = (why: string) => ({ ms: 3000, said: Result.fail(why) })
const fine: Survey = {
  broker: well(undefined),
  results: well(undefined),
  database: well(undefined),
  saving: well(undefined),
  media: well("unset"),
  overdue: well(0),
  migrations: well([]),
  fal: well(undefined),
  closed: well([]),
  queue: well(status),
  preconditions: well([]),
  budget: well([])
}
/** The rows that are not ok, each with its state. */
const wrong = (survey: Survey) =>
  Object.fromEntries(diagnose(survey).flatMap(({ state, what }) => (state === "ok" ? [] : [[what, state]])))
const withQueue = (change: Partial<QueueStatus>) => wrong({ ...fine, queue: well({ ...status, ...change }) })

describe("health", () => {
  it("says of each dependency, queue, worker and clock that it is well", () => {
    const rows = diagnose(fine)
    assert.deepStrictEqual(
      rows.map(({ what }) => what),
      ["Redis broker", "Redis results", "PostgreSQL", "migrations", "fal", "q", "q.dead", "clock", "scheduled", "celery@one"]
    )
    assert.deepStrictEqual(wrong(fine), {})
    assert.strictEqual(rows.find(({ what }) => what === "q")?.says, "3 waiting (1 at priority 6), the first for 20 s")
  })

  it("says of everything that is not well what to do, and no advice of what is", () => {
    const surveys: ReadonlyArray<Survey> = [
      fine,
      { ...fine, broker: ill("away"), queue: ill("away") },
      { ...fine, results: ill("away"), database: ill("away"), migrations: ill("away"), fal: ill("away") },
      { ...fine, migrations: well(["0002_x"]) },
      {
        ...fine,
        queue: well({
          ...status,
          clockAheadSeconds: -12,
          queues: [{ ...queue, dead: 2, oldestSeconds: Option.some(900) }],
          workers: [
            worker,
            { ...worker, name: "celery@two", alive: false },
            { ...worker, name: "celery@three", consuming: false }
          ]
        })
      },
      { ...fine, queue: well({ ...status, workers: [] }) }
    ]
    for (const row of surveys.flatMap(diagnose)) {
      const follows = row.says.includes("not known while")
      if (row.state === "ok") assert.strictEqual(row.advice, "", row.what)
      else assert.isTrue(row.advice !== "" || follows, `${row.what}: ${row.says}`)
    }
  })

  it("tells what makes the whole unhealthy from what is only worth a look", () => {
    assert.deepStrictEqual(wrong({ ...fine, fal: ill("refused"), migrations: well(["0002_x"]) }), {
      fal: "bad",
      migrations: "bad"
    })
    assert.deepStrictEqual(wrong({ ...fine, saving: ill("null value in column") }), { saving: "bad" })
    assert.deepStrictEqual(wrong({ ...fine, media: ill("check: the media store is full: ENOSPC") }), { "media store": "bad" })
    assert.include(
      diagnose({ ...fine, media: well("ready") }).map(({ what }) => what),
      "media store"
    )
    assert.deepStrictEqual(wrong({ ...fine, overdue: well(3) }), { pictures: "note" })
    assert.deepStrictEqual(wrong({ ...fine, overdue: ill("no answer within 2.5 s") }), {})
    assert.deepStrictEqual(withQueue({ clockAheadSeconds: -12 }), { clock: "note" })
    assert.deepStrictEqual(withQueue({ queues: [{ ...queue, dead: 1, oldestSeconds: Option.some(900) }] }), {
      q: "note",
      "q.dead": "note"
    })
    assert.deepStrictEqual(withQueue({ workers: [worker, { ...worker, name: "old", alive: false }] }), { old: "note" })
    assert.deepStrictEqual(withQueue({ workers: [{ ...worker, consuming: false }] }), { q: "bad", "celery@one": "bad" })
    assert.deepStrictEqual(withQueue({ workers: [] }), { q: "bad", workers: "bad" })
  })

  it("shows a worker's slots, its tasks, and what it does", () => {
    const says = (more: object) =>
      diagnose({ ...fine, queue: well({ ...status, workers: [{ ...worker, ...more }] }) }).find(
        ({ what }) => what === "celery@one"
      )!.says
    assert.include(says({ slots: 4, holds: 2, doing: "a, b" }), "holds 2 for 4 slots, 3 tasks done, doing a, b")
    assert.include(says({ slots: 1 }), "holds 0 for 1 slot, 3 tasks done, waiting for a task")
    assert.include(says({}), "holds 0, 3 tasks done") // of a version that does not tell its slots
  })

  it("does not ask for a worker where one is there and says why it takes nothing, and does not call fal well then", () => {
    const doing = "paused: fal account: fal answered 403: Exhausted balance"
    const rows = diagnose({ ...fine, queue: well({ ...status, workers: [{ ...worker, consuming: false, doing }] }) })
    const row = (what: string) => rows.find((row) => row.what === what)!
    assert.strictEqual(row("q").state, "bad")
    assert.include(row("q").says, `celery@one is ${doing}`)
    assert.notInclude(row("q").says + row("q").advice, "start a worker")
    assert.strictEqual(row("fal").state, "bad")
    assert.include(row("fal").says, "Exhausted balance")
  })

  it("shows what fal has refused the workers though it answers", () => {
    const closed = (reason: "refused" | "busy") =>
      well([{ endpoint: "fal-ai/flux/dev", reason, why: "Exhausted balance", seconds: 15 }])
    assert.deepStrictEqual(wrong({ ...fine, closed: closed("refused") }), { "fal-ai/flux/dev": "bad" })
    assert.deepStrictEqual(wrong({ ...fine, closed: closed("busy") }), { "fal-ai/flux/dev": "note" })
  })

  it("shows what everything rests on beside it", () => {
    const preconditions = well([
      { what: "broker memory", state: "note", says: "maxmemory-policy is allkeys-lru", advice: "CONFIG SET" }
    ] as const)
    assert.deepStrictEqual(wrong({ ...fine, preconditions }), { "broker memory": "note" })
  })

  it("gives PostgreSQL's own advice where it has some", () => {
    const advice = (says: string) => diagnose({ ...fine, database: ill(says) }).find(({ what }) => what === "PostgreSQL")?.advice
    assert.strictEqual(advice("no such table [42P01] (run: model-generator migrate)"), "")
    assert.include(advice("connect ECONNREFUSED"), "DATABASE_URL")
  })
})
