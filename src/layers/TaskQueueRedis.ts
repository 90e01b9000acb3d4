import { Clock, Duration, Effect, Exit, Layer, Option, Schema } from "effect"
import { randomUUID } from "node:crypto"
import * as Settings from "../services/Settings.ts"
import {
  type Claimed,
  type Delivery,
  type Outgoing,
  QueueError,
  type Released,
  TaskQueue,
  WorkerInfo
} from "../services/TaskQueue.ts"
import { WorkerIdentity } from "../services/WorkerIdentity.ts"
import { connect, script } from "./redis/connect.ts"
import { doorbells } from "./redis/doorbells.ts"
import * as kombu from "./redis/kombu.ts"
import * as scripts from "./redis/scripts.ts"
import { status, waiting } from "./redis/status.ts"
import { broker } from "./redis/where.ts"

/** How long a batch is remembered as sent (seconds): longer than any message lives. */
const ONCE = 7 * 86_400

const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new QueueError({ operation, cause }) })

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const make = Effect.gen(function* () {
  const settings = yield* Settings.of("WORKER_QUEUES", "VISIBILITY_TIMEOUT")
  const me = yield* WorkerIdentity
  let queues: ReadonlyArray<string> = settings.WORKER_QUEUES
  const visibility = Duration.toSeconds(settings.VISIBILITY_TIMEOUT)
  const where = yield* broker
  const redis = yield* connect(where, "commands")
  const bells = yield* doorbells(where)

  const claim = script(redis, "mgClaim", scripts.claim)
  const acknowledge = script(redis, "mgAcknowledge", scripts.acknowledge)
  const move = script(redis, "mgMove", scripts.move)
  const hold = script(redis, "mgHold", scripts.hold)
  const publishOnce = script(redis, "mgPublishOnce", scripts.publishOnce)
  const beat = script(redis, "mgBeat", scripts.beat)
  const resign = script(redis, "mgResign", scripts.resign)
  const astray = script(redis, "mgAstray", scripts.astray)
  const exhume = script(redis, "mgExhume", scripts.exhume)
  const restore = script(redis, "mgRestore", scripts.restore)

  /** The tags of what we hold, and of claims on their way: any other under our name came of a claim whose answer was lost. */
  const mine = new Set<string>()
  const { held, leases, scheduled, unacked, unackedIndex, workers } = kombu
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

  /** Where a message goes back to. With no exchange the routing key is the queue; else the exchange's bindings say. */
  const queueOf = async ({ exchange, routingKey }: kombu.Entry): Promise<string> => {
    const fallback = routingKey ?? queues[0]!
    if (exchange === "" || routingKey === undefined) return fallback
    return kombu.boundTo(await redis.smembers(kombu.bindings(exchange)), routingKey) ?? fallback
  }

  const beatOnce = (info: WorkerInfo) =>
    beat(
      [leases, workers, unackedIndex, held, ...kombu.lists(queues).flatMap(({ key }) => [key, kombu.arrivals(key)])],
      [me.boot, kombu.LEASE, me.name, JSON.stringify(info), ...mine]
    )

  /** The life that last had our name is over when it ran on this host under a process id that is ours now, or nobody's. */
  const outlived = (other: WorkerInfo) => other.host === me.host && (other.pid === me.pid || !isAlive(other.pid))

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
    handBack: (delivery, { crashed }) =>
      letGo("handBack", delivery, () => {
        const { priority, raw } = kombu.restored(delivery.raw, crashed)
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
    beat: Effect.fnUntraced(function* (info) {
      const reply = yield* attempt("beat", () => beatOnce(info))
      if (reply === "") return true
      const other = Schema.decodeUnknownOption(Schema.fromJsonString(WorkerInfo))(reply)
      if (Option.isSome(other) && !outlived(other.value)) return false
      if (Option.isSome(other)) yield* attempt("beat", () => resign([leases, workers], [other.value.boot, me.name]))
      return (yield* attempt("beat", () => beatOnce(info))) === ""
    }),
    resign: Effect.asVoid(attempt("resign", () => resign([leases, workers], [me.boot, me.name]))),
    release: attempt("release", async (): Promise<Released> => {
      const reply = await astray([unacked, unackedIndex, held, scheduled, leases], [visibility, me.boot, ...mine])
      const [next, ...found] = reply as [string, ...ReadonlyArray<string>] // what the script returns
      const released = { due: 0, lost: 0 }
      for (let at = 0; at < found.length; at += 3) {
        const [tag, why, triple] = [found[at]!, found[at + 1]!, found[at + 2]!]
        const entry = kombu.entry(triple)
        const back =
          why === "due" ? { raw: entry.raw, priority: kombu.priorityOf(entry.raw) } : kombu.restored(entry.raw, why === "lost")
        const list = kombu.list(await queueOf(entry), back.priority)
        const done = await restore([unacked, unackedIndex, held, scheduled, list], [tag, triple, back.raw])
        if (done === 1) released[why === "due" ? "due" : "lost"]++
      }
      return { ...released, nextDue: next === "" ? Option.none() : Option.some(Number(next) * 1000) }
    }),
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
