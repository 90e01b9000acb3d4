import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as envelope from "../../src/layers/redis/envelope.ts"
import * as chords from "../../src/layers/redis/chords.ts"
import * as PythonJson from "../../src/wire/PythonJson.ts"
import { fixture, versions } from "../programs/celery/fixtures.ts"
import { makeFleet } from "../programs/control/fleet.ts"
import { five, makeWorld } from "../programs/world.ts"
import type { Dice } from "../simulation/Dice.ts"
import { uniqueId } from "../support.ts"
import { isPrintable } from "./checks.ts"
import { Hostile } from "./Hostile.ts"
import { hostileMessage } from "./messages.ts"

interface Captured {
  readonly request_raw?: string
  readonly request_body_decoded?: Readonly<Record<string, unknown>>
}
const captured = versions.flatMap((version) => fixture<ReadonlyArray<Captured>>(`pidbox-${version}`))
const requests = captured.flatMap(({ request_body_decoded }) =>
  request_body_decoded === undefined ? [] : [request_body_decoded]
)
const raws = captured.flatMap(({ request_raw }) => (request_raw === undefined ? [] : [request_raw]))
const events = [
  { type: "worker-heartbeat", hostname: "o@host", pid: 7, clock: 3, freq: 2, active: 0, processed: 1, loadavg: [0.1, 0.2, 0.3] },
  {
    type: "worker-elect",
    hostname: "o@host",
    pid: 7,
    clock: 3,
    id: "e",
    topic: "task",
    action: { task: "t", args: [] },
    cver: 1
  },
  { type: "worker-elect-ack", hostname: "o@host", pid: 7, clock: 3, id: "e" },
  { type: "worker-offline", hostname: "o@host", pid: 7, clock: 3 }
]
const documents = ['[1, "id", "SUCCESS", {"a": 1}]', '{"result": [["id", null], [[["a", null], null]]]}']

/**
 * A worker that hears a hundred strange things: each request that can be answered is, shortly, and afterwards it works as before.
 */
export const controlTarget = Effect.fnUntraced(
  function* (dice: Dice) {
    const hostile = new Hostile(dice)
    const { ask, call, seconds, send, start, success, tell } = yield* makeFleet
    const worker = yield* start()
    for (let n = 0; n < 100; n++) {
      envelope.open(hostile.garbled(dice.pick(raws)))
      chords.readMembers([hostile.garbled(dice.pick(documents)), PythonJson.stringify(hostile.value())])
      chords.readGroup(hostile.garbled(dice.pick(documents)))
      if (dice.chance(0.3)) {
        yield* tell("worker.heartbeat", hostile.mutated(dice.pick(events)))
        continue
      }
      const { reply_to: _, ticket: __, ...request } = dice.pick(requests)
      const body = hostile.mutated({ ...request, destination: null })
      const asked = typeof body === "object" && body !== null && !Array.isArray(body) ? (body as Record<string, unknown>) : {}
      if (asked["method"] === "shutdown") continue
      const answers = yield* call(asked, { clock: hostile.value(0) })
      const told = PythonJson.stringify(answers)
      assert.isBelow(told.length, 12_100_000)
      assert.isTrue(!told.includes('"error"') || told.length < 200_000, "an error is told at length")
    }
    assert.deepStrictEqual(yield* ask("ping"), { ok: "pong" })
    assert.isUndefined(worker.fiber.pollUnsafe())
    // It may have been told to take from no queue, or to start no such task.
    for (const method of ["rate_limit", "time_limit"])
      yield* ask(method, { task_name: "generate_model", rate_limit: null, soft: null, hard: null })
    yield* ask("add_consumer", { queue: "generator_queue" })
    const id = yield* send()
    yield* seconds(60)
    yield* success(id)
  },
  Effect.scoped,
  Effect.provide(TestClock.layer())
)

/** Strange messages on a worker's queue: each ends, none of them its worker, and afterwards it makes a picture as before. */
export const workerTarget = Effect.fnUntraced(
  function* (dice: Dice) {
    const { counts, left, metric, pushRaw, seconds, send, start, success } = yield* makeWorld
    yield* start({ env: { WORKER_SEND_TASK_EVENTS: "true", RESULT_EXTENDED: "true", TASK_TRACK_STARTED: "true" } })
    const hostile = new Hostile(dice)
    for (let n = 0; n < 30; n++) {
      const raw = hostileMessage(dice)
      // Half of them are tasks of ours, with arguments that are right.
      yield* pushRaw(dice.chance(0.5) ? raw : asOurs(raw, hostile))
    }
    yield* seconds(600)
    const { dead, queued, running } = { ...(yield* counts) }
    assert.deepStrictEqual({ queued, running }, { queued: 0, running: 0 })
    for (const letter of (yield* left).dead) assert.isTrue(isPrintable([letter["reason"], letter["error"]]))
    assert.isAtMost(dead, 30)
    assert.isUndefined(yield* metric('actor_restarts_total{actor="child"}'))
    const id = yield* send()
    yield* seconds(60)
    yield* success(id)
  },
  Effect.scoped,
  Effect.provide(TestClock.layer())
)

const asOurs = (raw: string, hostile: Hostile): string => {
  try {
    const envelope = PythonJson.parse(raw) as Record<string, unknown> // or not: see below
    const body = PythonJson.parse(Buffer.from(String(envelope["body"]), "base64").toString("utf8"))
    const embed = Array.isArray(body) ? (body as ReadonlyArray<unknown>)[2] : null
    const id = uniqueId("fuzz")
    return PythonJson.stringify({
      ...envelope,
      body: Buffer.from(PythonJson.stringify([[], five, hostile.dice.chance(0.5) ? hostile.mutated(embed) : embed])).toString(
        "base64"
      ),
      headers: { ...(envelope["headers"] as object), task: "generate_model", id, eta: null, expires: null, compression: null }
    })
  } catch {
    return raw
  }
}
