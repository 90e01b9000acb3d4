import { Clock, Duration, Effect, Exit, Layer, Option } from "effect"
import { isUtf8 } from "node:buffer"
import { randomUUID } from "node:crypto"
import * as PythonJson from "../services/PythonJson.ts"
import * as Settings from "../services/Settings.ts"
import {
  type Buried,
  type Claimed,
  type Delivery,
  type GivenBack,
  MAX_MESSAGE,
  type Outgoing,
  QueueError,
  TaskQueue
} from "../services/TaskQueue.ts"
import { WorkerIdentity } from "../services/WorkerIdentity.ts"
import { connect, script } from "./redis/connect.ts"
import { deadLetters } from "./redis/deadLetters.ts"
import { doorbells } from "./redis/doorbells.ts"
import { hastening } from "./redis/hasten.ts"
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

/** What a script needs to know about a message that it puts back. */
const told = ({ crashed, generation }: GivenBack) => [
  crashed ? "alone" : "none",
  generation === undefined ? "" : PythonJson.stringify(generation)
]

const make = Effect.gen(function* () {
  const settings = yield* Settings.of("WORKER_QUEUES", "VISIBILITY_TIMEOUT")
  const me = yield* WorkerIdentity
  let queues: ReadonlyArray<string> = settings.WORKER_QUEUES
  /** Where a message goes that does not say where it came from. */
  const home = () => queues[0] ?? settings.WORKER_QUEUES[0]!
  const where = yield* broker
  const redis = yield* connect(where, "commands")
  const bells = yield* doorbells(where)
  const visibility = Duration.toSeconds(settings.VISIBILITY_TIMEOUT)
  const soonest = waiting(redis, where.keyPrefix)
  const release = releasing(redis, where.keyPrefix, me.boot, visibility)
  const hasten = hastening(redis, visibility)
  const { end, renew } = lease(redis, me)

  const claim = script(redis, "mgClaim", scripts.claim, "buffers")
  const acknowledge = script(redis, "mgAcknowledge", scripts.acknowledge)
  const bury = script(redis, "mgBury", scripts.bury)
  const handBack = script(redis, "mgHandBack", scripts.handBack)
  const hold = script(redis, "mgHold", scripts.hold)
  const publishOnce = script(redis, "mgPublishOnce", scripts.publishOnce)
  const letters = deadLetters(redis, where.keyPrefix)

  /** The tags of what we hold, and of claims on their way: any other under our name came of a claim whose answer was lost. */
  const mine = new Set<string>()
  /** What could not be given back, and what was to be said of it. It is no longer among `mine`, so that a pass gives it back. */
  const failed = new Map<string, GivenBack>()
  const { held, scheduled, unacked, unackedIndex } = kombu
  const holding = [unacked, unackedIndex, held]

  /** One of the steps that end our hold on a delivery. */
  const letGo = (operation: string, delivery: Delivery, run: () => Promise<unknown>) =>
    attempt(operation, run).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          mine.delete(delivery.tag)
          failed.delete(delivery.tag)
        })
      ),
      Effect.asVoid
    )

  const push = async (messages: ReadonlyArray<Outgoing>) => {
    const pipeline = redis.multi()
    for (const queue of new Set(messages.map((message) => message.queue))) {
      const { key, member } = kombu.binding(queue)
      pipeline.sadd(key, member)
    }
    for (const message of messages) pipeline.lpush(kombu.list(message.queue, message.priority), message.raw)
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error // a queue that is no list
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
            [...holding, ...lists.flatMap(({ key, queue }) => [key, kombu.arrivals(key), kombu.dead(queue)])],
            [me.boot, tag, MAX_MESSAGE, ...lists.map(({ queue }) => queue)]
          )
        )
        if (!Array.isArray(reply)) return Option.none<Claimed>()
        const [queue, bytes, waited, size] = reply as [Buffer, Buffer, Buffer, Buffer] // what the script returns
        const raw = bytes.toString()
        const now = yield* Clock.currentTimeMillis
        if (size.length > 0) mine.delete(tag)
        return Option.some({
          tag,
          queue: queue.toString(),
          raw,
          ...(isUtf8(bytes) ? {} : { bytes }),
          seenSince: now - Math.max(0, Number(waited)) * 1000,
          suspect: kombu.isSuspect(raw),
          ...(size.length === 0 ? {} : { tooLarge: Number(size) })
        })
      }).pipe(Effect.onExit((exit) => Effect.sync(() => (Exit.isFailure(exit) || Option.isNone(exit.value)) && mine.delete(tag))))
    }),
    acknowledge: (delivery) => letGo("acknowledge", delivery, () => acknowledge(holding, [me.boot, delivery.tag])),
    handBack: (delivery, options) =>
      letGo("handBack", delivery, () =>
        handBack([...holding, scheduled], [where.keyPrefix, delivery.queue, me.boot, delivery.tag, ...told(options)])
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) return
            mine.delete(delivery.tag)
            failed.set(delivery.tag, options)
          })
        )
      ),
    hold: (delivery, at) =>
      letGo("hold", delivery, () =>
        hold([...holding, scheduled], [me.boot, delivery.tag, delivery.tag, "", at / 1000, visibility])
      ),
    hasten: (tags) => attempt("hasten", () => hasten(tags)),
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
          bury(
            [...holding, kombu.dead(delivery.queue)],
            [me.boot, delivery.tag, kombu.deadLetter(delivery, letter, me.name, now)]
          )
        )
      ),
    publish: (messages) => Effect.asVoid(attempt("publish", () => push(messages))),
    publishOnce: ({ digest, key }, note, messages) =>
      Effect.map(
        attempt("publishOnce", () =>
          publishOnce(
            [
              kombu.once(`${key}:${digest}`),
              kombu.once(key),
              kombu.onceKept,
              ...messages.flatMap(({ priority, queue }) => [kombu.bindings(queue), kombu.list(queue, priority)])
            ],
            [ONCE, note, `${key}:${digest}`, ...messages.flatMap(({ queue, raw }) => [kombu.binding(queue).member, raw])]
          )
        ),
        String
      ),
    beat: (info) => attempt("beat", () => renew(info, queues, mine)),
    resign: Effect.asVoid(attempt("resign", end)),
    release: Effect.gen(function* () {
      const asked = [...failed.keys()]
      const saying = [...failed].flatMap(([tag, options]) => [tag, ...told(options)])
      const { nextIn, ...released } = yield* attempt("release", () => release(mine, saying, home()))
      if (!released.more) for (const tag of asked) failed.delete(tag)
      const now = yield* Clock.currentTimeMillis
      return { ...released, nextDue: Option.map(nextIn, (millis) => now + millis) }
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
    scheduled: (limit) => attempt("scheduled", () => soonest(limit, home())),
    buried: (limit) =>
      attempt("buried", async () => {
        const found: Array<Buried> = []
        for (const queue of queues) found.push(...(await letters.list(queue, limit - found.length)))
        return found
      }),
    letter: (letter) =>
      attempt("letter", async () => Option.map(Option.fromNullishOr(await letters.read(letter)), (bytes) => bytes.toString())),
    redrive: (letter) =>
      attempt("redrive", async () => {
        const whole = letter.text === "" ? undefined : await letters.read(letter)
        return await letters.redrive(letter, whole === undefined ? undefined : kombu.inside(whole.toString()))
      }),
    drop: (letter) => attempt("drop", () => letters.drop(letter)),
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
