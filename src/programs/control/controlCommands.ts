import { Effect, Schema } from "effect"
import { rateLimit as makeLimit } from "../../services/Vitals.ts"
import { MOST_CHILDREN } from "../../services/Settings.ts"
import * as Text from "../../wire/Text.ts"
import { pythonRepr } from "../celery/pythonRepr.ts"
import { command, type Command, Count, list, nok, None, ok, refuse, SILENCE, Some } from "./Command.ts"
import { aliases, type ControlledWorker } from "./ControlledWorker.ts"
import { orders } from "./revokeCommands.ts"
import { nullish } from "../../wire/nullish.ts"

const Limit = Schema.Union([Schema.Finite, Schema.FiniteFromString])
const PER: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/** Tasks a second of `10/m`, `0.5/s`, `3`; 0 for no limit. */
const rate = Effect.fnUntraced(function* (text: string | number | null) {
  if (text === null || text === "" || text === 0) return 0
  if (typeof text === "number") return Math.max(0, text)
  const [count = "", unit = ""] = text.split(/\/(.*)/s)
  const seconds = PER[unit === "" ? "s" : unit]
  if (seconds === undefined) return yield* refuse("KeyError", unit)
  if (!/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(count))
    return yield* refuse("ValueError", `could not convert string to float: ${pythonRepr(count)}`)
  return Math.max(0, Number(count) / seconds)
})

/** Text that a key of Redis, a log and a metric can bear. */
const isName = (name: string) => name.length <= 255 && name.isWellFormed() && !/\p{Cc}/u.test(name)
/** Keys of kombu, of Celery and of ours, from which no task may be taken. */
const isReserved = (name: string) => /^(unacked|_kombu\.|celery-task|celeryev|model-generator\.)|\.dead$|pidbox$/.test(name)
/** The most queues of a worker: each claim looks at all of them. */
const MOST_QUEUES = 100

/** The commands that change a worker. */
export const control = (worker: ControlledWorker): ReadonlyArray<Command> => {
  const { events, vitals } = worker

  const rateLimit = Effect.fnUntraced(function* (task: string, asked: string | number | null) {
    const perSecond = yield* rate(asked).pipe(
      Effect.catchTag("Refusal", (refusal) =>
        // Celery catches the one and not the other.
        refusal.exception === "ValueError"
          ? Effect.succeed(nok(`Invalid rate limit string: ${refusal.repr}`))
          : Effect.fail(refusal)
      )
    )
    if (typeof perSecond !== "number") return perSecond
    const names = aliases(worker.known, task)
    if (names.length === 0) return nok("unknown task")
    // One limit for a task, whichever of its names is used.
    const before = vitals.rateLimits.get(names[0]!)?.waiting // there is a name, by the check above
    const limit = makeLimit(1000 / perSecond, before)
    for (const name of names) {
      if (perSecond === 0) vitals.rateLimits.delete(name)
      else vitals.rateLimits.set(name, limit)
      if (perSecond === 0) worker.rates.delete(name)
      else worker.rates.set(name, String(asked))
    }
    // Messages that are parked under the old limit ask again, at once if there is no limit any more.
    if (before !== undefined) yield* Effect.ignore(worker.queue.bringForward([...before.values()].map(({ tag }) => tag)))
    yield* Effect.logInfo("rate limit set by remote control", { task, rate: asked })
    return ok(
      asked === null || asked === "" || asked === 0 ? "rate limit disabled successfully" : "new rate limit set successfully"
    )
  })

  const timeLimit = (task: string, soft: number | null, hard: number | null) =>
    Effect.gen(function* () {
      const names = aliases(worker.known, task)
      if (names.length === 0) return nok("unknown task")
      for (const name of names) vitals.timeLimits.set(name, { soft, hard })
      yield* Effect.logInfo("time limits set by remote control", { task, soft, hard })
      return ok("time limits set successfully")
    })

  const resize = (by: number, command: string, done: string) =>
    Effect.gen(function* () {
      if (worker.autoscaler !== undefined)
        return nok(`${command} is not supported with autoscale. Adjust autoscale range instead.`)
      if (yield* worker.pool.resize(by)) return ok(done)
      return yield* refuse("ValueError", `the pool can have 1 to ${MOST_CHILDREN} children and has ${worker.pool.size()}`)
    })

  const autoscale = Effect.fnUntraced(function* (max: number | null, min: number | null) {
    if (worker.autoscaler === undefined) return yield* refuse("ValueError", "Autoscale not enabled")
    for (const bound of [max, min])
      if (bound !== null && (bound < 1 || bound > MOST_CHILDREN))
        return yield* refuse("ValueError", `the pool can have 1 to ${MOST_CHILDREN} children`)
    const now = yield* worker.autoscaler.update(max, min)
    yield* Effect.logInfo("autoscale range set by remote control", now)
    return ok(`autoscale now max=${now.max} min=${now.min}`)
  })

  const switchEvents = (on: boolean) =>
    Effect.sync(() => {
      const word = on ? "enabled" : "disabled"
      if (events.tasks.always || events.tasks.ordered === on) return ok(`task events already ${word}`)
      events.tasks.ordered = on
      return ok(`task events ${word}`)
    })

  const addConsumer = Effect.fnUntraced(function* (queue: string, exchange: string, type: string, routingKey: string) {
    for (const [argument, name] of Object.entries({ queue, exchange, exchange_type: type, routing_key: routingKey }))
      if (!isName(name))
        return yield* refuse("ValueError", `${argument}: ${pythonRepr(Text.cut(name, 100))} is not the name of one`)
    if (isReserved(queue))
      return yield* refuse("ValueError", `queue: ${pythonRepr(queue)} is a key with another use on this broker`)
    const queues = yield* worker.queue.queues
    if (!queues.includes(queue) && queues.length >= MOST_QUEUES)
      return yield* refuse("ValueError", `queue: this worker takes from ${MOST_QUEUES} queues already, which is the most`)
    worker.bindings.set(queue, { exchange, type, routingKey })
    yield* worker.queue.consume(queue)
    yield* Effect.ignore(worker.fleet.join([{ queue, exchange, routingKey }]))
    yield* Effect.logInfo("consuming from one more queue, by remote control", { queue })
    return ok(`add consumer ${queue}`)
  })

  const Pool = Schema.Struct({ n: nullish(Count) })
  const Bounds = Schema.Struct({ max: nullish(Count), min: nullish(Count) })
  const Rate = Schema.Struct({
    task_name: Schema.String,
    rate_limit: Schema.NullOr(Schema.Union([Schema.String, Schema.Finite]))
  })
  const Times = Schema.Struct({ task_name: nullish(Schema.String), soft: nullish(Limit), hard: nullish(Limit) })
  const Election = Schema.Struct({ id: Schema.NonEmptyString, topic: Schema.String, action: nullish(Schema.Unknown) })
  const Queue = Schema.Struct({
    queue: Schema.NonEmptyString,
    exchange: nullish(Schema.String),
    exchange_type: nullish(Schema.String),
    routing_key: nullish(Schema.String)
  })

  return [
    ...orders(worker),
    command("rate_limit", ["task_name", "rate_limit"], Rate, (given) => rateLimit(given.task_name, given.rate_limit)),
    command("time_limit", [], Times, ({ hard, soft, task_name }) => timeLimit(task_name ?? "", soft ?? null, hard ?? null)),
    command("pool_grow", [], Pool, ({ n }) => resize(Math.max(0, n ?? 1), "pool_grow", "pool will grow")),
    command("pool_shrink", [], Pool, ({ n }) => resize(-Math.max(0, n ?? 1), "pool_shrink", "pool will shrink")),
    command("pool_restart", [], None, () => Effect.as(worker.pool.renew, ok("reload started"))),
    command("autoscale", [], Bounds, ({ max, min }) => autoscale(max ?? null, min ?? null)),
    command("enable_events", [], None, () => switchEvents(true)),
    command("disable_events", [], None, () => switchEvents(false)),
    command("heartbeat", [], None, () => Effect.as(Effect.ignore(events.beatNow), null)),
    command("election", ["id", "topic"], Election, ({ action, id, topic }) =>
      Effect.as(worker.gossip.stand(id, topic, action ?? null), null)
    ),
    command("add_consumer", ["queue"], Queue, ({ exchange, exchange_type, queue, routing_key }) =>
      addConsumer(queue, exchange || queue, exchange_type || "direct", routing_key || queue)
    ),
    command("cancel_consumer", ["queue"], Schema.Struct({ queue: Some }), ({ queue }) =>
      Effect.gen(function* () {
        for (const one of list(queue)) yield* worker.queue.cancel(one)
        yield* Effect.logInfo("no longer consuming from a queue, by remote control", { queue })
        return ok(`no longer consuming from ${list(queue).join(", ")}`)
      })
    ),
    command("shutdown", [], Schema.Struct({ msg: nullish(Schema.String) }), () =>
      Effect.gen(function* () {
        yield* Effect.logWarning("Got shutdown from remote")
        yield* worker.stop
        return SILENCE
      })
    )
  ]
}
