import { assert } from "@effect/vitest"
import { Effect, Option, Result } from "effect"
import { brotliCompressSync, deflateSync, zstdCompressSync } from "node:zlib"
import { placeInCanvas } from "../../src/programs/celery/canvas/placeInCanvas.ts"
import * as Message from "../../src/programs/celery/Message.ts"
import * as NewMessage from "../../src/programs/celery/NewMessage.ts"
import * as Reply from "../../src/programs/celery/Reply.ts"
import { infosOf, requestOf } from "../../src/programs/celery/Request.ts"
import * as TaskEvent from "../../src/programs/celery/TaskEvent.ts"
import { UTC } from "../../src/programs/celery/Time.ts"
import * as PythonJson from "../../src/wire/PythonJson.ts"
import { fixture, messages, versions } from "../programs/celery/fixtures.ts"
import type { Dice } from "../simulation/Dice.ts"
import { checkFailure, isPrintable } from "./checks.ts"
import { Hostile } from "./Hostile.ts"

interface Queue {
  readonly items_head_to_tail?: ReadonlyArray<string>
}
const originals: ReadonlyArray<string> = [
  ...versions.flatMap((version) => messages(version).map(({ raw }) => raw)),
  ...versions.flatMap((version) =>
    fixture<ReadonlyArray<{ readonly raw: string }>>(`worker-published-${version}`).map(({ raw }) => raw)
  ),
  ...Object.values(fixture<{ readonly queue: Readonly<Record<string, Queue>> }>("protocol1-5.3.6").queue).flatMap(
    ({ items_head_to_tail }) => items_head_to_tail ?? []
  )
]
const readable = originals.filter((raw) => {
  try {
    return typeof (PythonJson.parse(raw) as { body?: unknown }).body === "string" // as captured
  } catch {
    return false
  }
})

const packers = {
  "application/x-gzip": deflateSync,
  "application/x-brotli": brotliCompressSync,
  "application/zstd": zstdCompressSync
} as const

/** A message as somebody might send it: one that was captured, and something in it changed. */
export const hostileMessage = (dice: Dice): string => {
  const hostile = new Hostile(dice)
  const raw = dice.pick(readable)
  if (dice.chance(0.15)) return hostile.garbled(raw)
  const envelope = PythonJson.parse(raw) as Record<string, unknown> // as captured
  const out = dice.chance(0.5) ? (hostile.mutated(envelope) as Record<string, unknown>) : envelope
  if (dice.chance(0.3) || typeof out?.["body"] !== "string") return PythonJson.stringify(out)
  const text = Buffer.from(String(envelope["body"]), "base64").toString("utf8")
  let body: string | Buffer
  try {
    const value = hostile.mutated(PythonJson.parse(text))
    body = dice.chance(0.15) ? hostile.garbled(text) : PythonJson.stringify(value)
  } catch {
    body = hostile.garbled(text) // one that was captured packed, or is no JSON
  }
  const compression = dice.chance(0.1) ? dice.pick(Object.keys(packers) as Array<keyof typeof packers>) : undefined
  const packed = compression === undefined ? Buffer.from(body) : packers[compression](Buffer.from(body))
  return PythonJson.stringify({
    ...out,
    body: packed.toString("base64"),
    ...(compression === undefined ? {} : { headers: { ...(out["headers"] as object), compression } })
  })
}

/** The message with its digest and caller in place of the functions that make them: two functions are never equal. */
const asValues = (message: Message.Message) => ({ ...message, digest: message.digest(), caller: message.caller() })

/** All that is done with a message whatever it is asks nothing of it but what its schema says. */
export const checkMessage = Effect.fnUntraced(function* (raw: string) {
  const read = yield* Effect.result(Message.decode(raw, UTC))
  // What is read the short way is read as the schemas read it.
  const careful = yield* Effect.result(Message.decodeWithCare(raw, UTC))
  if (Result.isSuccess(read)) assert.deepStrictEqual(Result.map(read, asValues), Result.map(careful, asValues))
  else assert.isTrue(Result.isFailure(careful))
  if (Result.isFailure(read)) {
    const problem = read.failure
    if (problem._tag === "Unreadable") {
      assert.isTrue(isPrintable(problem.problem))
      assert.isBelow(problem.problem.length, 2000)
      return
    }
    checkFailure(problem.failure)
    const ended = yield* placeInCanvas(raw, problem.id)
    assert.strictEqual(ended.id, problem.id)
    return
  }
  const message = read.success
  const delivery = { tag: "tag", queue: "generator_queue", raw }
  assert.match(message.digest(), /^[\w-]{22}$/)
  const request = requestOf(message, delivery)
  for (const safe of [true, false])
    assert.isBelow(
      PythonJson.stringify(infosOf([request], { name: "w@host", pid: 1 }, safe)).length,
      100_000,
      "inspect shows too much"
    )
  const events = [TaskEvent.received(message, request), TaskEvent.succeeded(message.id, { a: [message.task] }, 1)]
  assert.isBelow(PythonJson.stringify(events).length, 50_000, "an event is too long")
  const whose = { ...message, extended: Reply.extended(message, "w@host") }
  const stored = PythonJson.parse(PythonJson.stringify(Reply.success(whose, { a: 1 }, [], 0))) as Record<string, unknown> // ours
  assert.deepInclude(stored, { task_id: message.id, status: "SUCCESS", result: { a: 1 } })

  if (message.retries > Number.MAX_SAFE_INTEGER - 2) return
  const next = { tag: "next", queue: "q", eta: 5000, retries: message.retries + 1, uncounted: message.uncounted }
  const again = yield* Message.decode(NewMessage.again(message, next).raw, UTC)
  const kept = ({ args, embed, group, groupIndex, id, kwargs, limits, priority, rootId, task }: Message.Message) =>
    PythonJson.stringify({ args, embed, group, groupIndex, id, kwargs, limits, priority, rootId, task })
  assert.strictEqual(kept(again), kept(message), "a retry is another task")
  assert.strictEqual(again.digest(), message.digest())
  assert.deepStrictEqual(
    [again.retries, Option.getOrUndefined(again.eta), Option.getOrUndefined(again.expires)],
    [message.retries + 1, 5000, Option.getOrUndefined(message.expires)]
  )
})

export const messagesTarget = (dice: Dice) => checkMessage(hostileMessage(dice))
