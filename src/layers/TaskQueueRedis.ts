import { Clock, Duration, Effect, Exit, Layer, Option } from "effect"
import { randomUUID } from "node:crypto"
import * as Settings from "../services/Settings.ts"
import { type Claimed, type Delivery, type Outgoing, QueueError, TaskQueue } from "../services/TaskQueue.ts"
import { WorkerIdentity } from "../services/WorkerIdentity.ts"
import { connect, script } from "./redis/connect.ts"
import { doorbells } from "./redis/doorbells.ts"
import * as kombu from "./redis/kombu.ts"
import { lease } from "./redis/lease.ts"
import { releasing } from "./redis/release.ts"
import * as scripts from "./redis/scripts.ts"
import { status, waiting } from "./redis/status.ts"
import { broker } from "./redis/where.ts"

/** How long a batch is remembered as sent (seconds): longer than any message lives. */
const ONCE = 7 * 86_400

const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new QueueError({ operation, cause }) })

const make = Effect.gen(function* () {
  const settings = yield* Settings.of("WORKER_QUEUES", "VISIBILITY_TIMEOUT")
  const me = yield* WorkerIdentity
  let queues: ReadonlyArray<string> = settings.WORKER_QUEUES
  const where = yield* broker
  const redis = yield* connect(where, "commands")
  const bells = yield* doorbells(where)
  const visibility = Duration.toSeconds(settings.VISIBILITY_TIMEOUT)
  const release = releasing(redis, me.boot, visibility)
  const { end, renew } = lease(redis, me)

  const claim = script(redis, "mgClaim", scripts.claim)
  const acknowledge = script(redis, "mgAcknowledge", scripts.acknowledge)
  const move = script(redis, "mgMove", scripts.move)
  const hold = script(redis, "mgHold", scripts.hold)
  const publishOnce = script(redis, "mgPublishOnce", scripts.publishOnce)
  const exhume = script(redis, "mgExhume", scripts.exhume)

  /** The tags of what we hold, and of claims on their way: any other under our name came of a claim whose answer was lost. */
  const mine = new Set<string>()
  const { held, scheduled, unacked, unackedIndex } = kombu
  const holding = [unacked, unackedIndex, held]

  /** One of the steps that end our hold on a delivery. */
  const letGo = (operation: string, delivery: Delivery, run: () => Promise<unknown>) =>
    attempt(operation, run).pipe(
      Effect.tap(() => Effect.sync(() => mine.delete(delivery.tag))),
      Effect.asVoid
    )

  const push = (messages: ReadonlyArray<Outgoing>) => {
    const pipeline = redis.multi()
    for (const queue of new Set(messages.map((message) => message.queue))) {
      const { key, member } = kombu.binding(queue)
      pipeline.sadd(key, member)
    }
    for (const message of messages) pipeline.lpush(kombu.list(message.queue, message.priority), message.raw)
    return pipeline.exec()
  }

  return TaskQueue.of({
    awaitMessage: Effect.flatMap(
      Effect.suspend(() => bells.at(kombu.lists(queues).map(({ key }) => key))),
      (wait) => attempt("awaitMessage", wait)
    ).pipe(Effect.asVoid),
    claim: Effect.suspend(() => {
      const tag = randomUUID()
      mine.add(tag)
      const lists = kombu.lists(queues)
      return Effect.gen(function* () {
        const reply = yield* attempt("claim", () =>
          claim(
            [...holding, ...lists.flatMap(({ key }) => [key, kombu.arrivals(key)])],
            [me.boot, tag, ...lists.map(({ queue }) => queue)]
          )
        )
        if (!Array.isArray(reply)) return Option.none<Claimed>()
        const [queue, raw, waited] = reply as [string, string, string] // what the script returns
        const now = yield* Clock.currentTimeMillis
        return Option.some({ tag, queue, raw, seenSince: now - Math.max(0, Number(waited)) * 1000 })
      }).pipe(Effect.onExit((exit) => Effect.sync(() => (Exit.isFailure(exit) || Option.isNone(exit.value)) && mine.delete(tag))))
    }),
    acknowledge: (delivery) => letGo("acknowledge", delivery, () => acknowledge(holding, [me.boot, delivery.tag])),
    handBack: (delivery, { crashed, generation }) =>
      letGo("handBack", delivery, () => {
        const { priority, raw } = kombu.restored(delivery.raw, crashed, generation)
        return move([...holding, kombu.list(delivery.queue, priority)], [me.boot, delivery.tag, raw, "R"])
      }),
    hold: (delivery, at) =>
      letGo("hold", delivery, () =>
        hold([...holding, scheduled], [me.boot, delivery.tag, delivery.tag, "", at / 1000, visibility])
      ),
    retry: (delivery, next, at) =>
      letGo("retry", delivery, () =>
        hold(
          [...holding, scheduled],
          [me.boot, delivery.tag, next.tag, `[${next.raw},"",${JSON.stringify(next.queue)}]`, at / 1000, visibility]
        )
      ),
    bury: (delivery, letter) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        letGo("bury", delivery, () =>
          move(
            [...holding, kombu.dead(delivery.queue)],
            [me.boot, delivery.tag, kombu.deadLetter(delivery.raw, letter, me.name, now), "L"]
          )
        )
      ),
    publish: (messages) => Effect.asVoid(attempt("publish", () => push(messages))),
    publishOnce: (key, note, messages) =>
      Effect.map(
        attempt("publishOnce", () =>
          publishOnce(
            [kombu.once(key), ...messages.flatMap(({ priority, queue }) => [kombu.bindings(queue), kombu.list(queue, priority)])],
            [ONCE, note, ...messages.flatMap(({ queue, raw }) => [kombu.binding(queue).member, raw])]
          )
        ),
        String
      ),
    beat: (info) => attempt("beat", () => renew(info, queues, mine)),
    resign: Effect.asVoid(attempt("resign", end)),
    release: attempt("release", () => release(mine, queues[0]!)),
    queues: Effect.sync(() => queues),
    consume: (queue) =>
      Effect.sync(() => {
        if (!queues.includes(queue)) queues = [...queues, queue]
        bells.changed()
      }),
    cancel: (queue) =>
      Effect.sync(() => {
        queues = queues.filter((other) => other !== queue)
        bells.changed()
      }),
    scheduled: (limit) => attempt("scheduled", () => waiting(redis, limit)),
    buried: attempt("buried", async () => {
      const letters = await Promise.all(
        queues.map(async (queue) => ({ queue, texts: await redis.lrange(kombu.dead(queue), 0, -1) }))
      )
      return letters.flatMap(({ queue, texts }) => texts.map((text) => ({ id: kombu.letterId(text), queue, text })))
    }),
    redrive: ({ queue, text }) =>
      attempt("redrive", async () => {
        const { priority, raw } = kombu.redriven(text)
        return (await exhume([kombu.dead(queue), kombu.list(queue, priority)], [text, raw])) === 1
      }),
    drop: ({ queue, text }) => attempt("drop", async () => (await exhume([kombu.dead(queue), queue], [text, ""])) === 1),
    status: Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      const { at, ...rest } = yield* attempt("status", () => status(redis, queues))
      const after = yield* Clock.currentTimeMillis
      return { ...rest, clockAheadSeconds: (before + after) / 2000 - at }
    }),
    ping: Effect.asVoid(attempt("ping", () => redis.ping()))
  })
})

export const layer = Layer.effect(TaskQueue, make)
