import { assert } from "@effect/vitest"
import { Effect, Option, Result } from "effect"
import * as Canvas from "../../src/programs/celery/canvas/Canvas.ts"
import { MOST_BYTES, MOST_MESSAGES } from "../../src/programs/celery/canvas/budget.ts"
import * as Message from "../../src/programs/celery/Message.ts"
import { UTC } from "../../src/programs/celery/Time.ts"
import type { Outgoing } from "../../src/services/Publisher.ts"
import type { Dice } from "../simulation/Dice.ts"
import { checkFailure, isPrintable } from "./checks.ts"
import { Hostile } from "./Hostile.ts"

const options = [
  "task_id",
  "reply_to",
  "root_id",
  "parent_id",
  "group_id",
  "group_index",
  "queue",
  "exchange",
  "routing_key",
  "compression",
  "priority",
  "countdown",
  "eta",
  "expires",
  "time_limit",
  "soft_time_limit",
  "retries",
  "shadow",
  "ignore_result",
  "headers",
  "stamped_headers",
  "link",
  "link_error",
  "chain",
  "chord",
  "delivery_tag",
  "body_encoding"
]

/** A tree of calls, most of it in order. */
const signature = (hostile: Hostile, depth: number): unknown => {
  const { dice } = hostile
  if (dice.chance(0.03)) return hostile.value(1)
  const inner = () => signature(hostile, depth - 1)
  const several = () => Array.from({ length: dice.pick([0, 1, 2, 2, 3, depth < 2 ? 30 : 3]) }, inner)
  const right: Readonly<Record<string, () => unknown>> = {
    task_id: () => `id-${dice.between(0, 9999)}`,
    group_index: () => dice.between(0, 5),
    countdown: () => dice.between(0, 60),
    link: several,
    link_error: several,
    chain: several,
    chord: inner
  }
  const given = Object.fromEntries(
    options
      .filter((name) => dice.chance(name === "task_id" ? 0.7 : 0.06))
      .filter((name) => depth > 0 || !["link", "link_error", "chain", "chord"].includes(name))
      .map((name) => [name, right[name] !== undefined && dice.chance(0.6) ? right[name]() : hostile.value(1)])
  )
  const kind = depth > 0 ? dice.weighted({ task: 5, group: 2, chain: 2, chord: 2 }) : "task"
  const base = { args: dice.chance(0.2) ? [hostile.value(1)] : [], options: given, immutable: dice.chance(0.3) }
  if (kind === "task") return { task: "t", kwargs: {}, subtask_type: null, ...base }
  const kwargs = kind === "chord" ? { header: several(), body: inner(), kwargs: {} } : { tasks: several() }
  return { task: `celery.${kind}`, kwargs, subtask_type: kind, ...base }
}

const checkSent = Effect.fnUntraced(function* (messages: ReadonlyArray<Outgoing>) {
  assert.isAtMost(messages.length, MOST_MESSAGES)
  assert.isAtMost(
    messages.reduce((sum, { raw }) => sum + raw.length, 0),
    MOST_BYTES
  )
  for (const { queue, raw, tag } of messages.slice(0, 50)) {
    assert.notStrictEqual(queue, "")
    const read = yield* Effect.result(Message.decode(raw, UTC))
    if (Result.isSuccess(read)) assert.strictEqual(read.success.envelope.properties?.["delivery_tag"], tag)
    else if (read.failure._tag === "Undeliverable") checkFailure(read.failure.failure)
  }
})

/** Something follows or somebody is told why not, within bounds; nothing is thrown. */
export const canvasesTarget = Effect.fnUntraced(function* (dice: Dice) {
  const hostile = new Hostile(dice)
  const several = () => Array.from({ length: dice.between(0, 2) }, () => signature(hostile, dice.between(0, 4)))
  const value = hostile.value(2) as never // any value of JSON
  const ended = {
    id: "the-task",
    group: null,
    groupIndex: null,
    rootId: "root",
    parentId: null,
    replyTo: null,
    caller: () => "gen@test",
    digest: () => "digest",
    embed: { callbacks: several(), errbacks: several(), chain: several() } as never
  }
  const sender = Canvas.senderOf(ended, "q", "w@host", 1_700_000_000_000)
  const body = signature(hostile, 3)
  const parts = [{ taskId: "part", status: dice.pick(["SUCCESS", "FAILURE", "REVOKED", "?"]), result: hostile.value(2) }]
  const chord = Canvas.afterChord({ group: "g", body }, parts, Option.none(), sender)
  if (chord._tag === "Failed") checkFailure(chord.failure)
  const { errbacks } = ended.embed as { readonly errbacks: ReadonlyArray<unknown> } // as above
  const next = [
    Canvas.afterSuccess(ended, value, sender),
    Canvas.afterFailure({ id: "the-task", rootId: "root", errbacks }, sender),
    chord.next
  ]
  for (const { impossible, messages, sizes } of next) {
    yield* checkSent(messages)
    for (const { why } of impossible) assert.isTrue(isPrintable(why.slice(0, 8000)) || why.length > 8000)
    for (const { size } of sizes) assert.isTrue(Number.isSafeInteger(size) && size >= 0)
  }
  Canvas.restOfChain(ended)
  Canvas.followers(ended)
})
