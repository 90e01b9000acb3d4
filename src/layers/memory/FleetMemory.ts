import { Clock, Context, Effect, Layer, Option, PubSub, Queue, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { type Answer, Fleet, type Heard, MAX_REVOKED, type Revocable } from "../../services/Fleet.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as envelope from "../redis/envelope.ts"
import { replyExchange } from "../../wire/kombu.ts"

/** The workers' broadcasts and replies within one process, in Redis's place: they outlive the workers, which share them. */
export class MemoryAir extends Context.Service<
  MemoryAir,
  {
    readonly said: PubSub.PubSub<Heard>
    /** Node names of the workers that listen now. */
    readonly hearers: Set<string>
    /** Questions that wait for answers, by the routing key of their replies. */
    readonly waiting: Map<string, Queue.Queue<Answer>>
    readonly joined: Set<string>
    readonly bound: Set<string>
    readonly revoked: Readonly<Record<Revocable, Map<string, number>>>
  }
>()("model-generator/layers/MemoryAir") {
  static readonly layer = Layer.effect(
    MemoryAir,
    Effect.map(PubSub.sliding<Heard>(1000), (said) => ({
      said,
      hearers: new Set(),
      waiting: new Map(),
      joined: new Set(),
      bound: new Set(),
      revoked: { ids: new Map(), stamps: new Map() }
    }))
  )
}

const make = Effect.gen(function* () {
  const air = yield* MemoryAir
  const me = yield* WorkerIdentity

  return {
    hear: Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.sync(() => air.hearers.add(me.name)),
        () => Effect.sync(() => air.hearers.delete(me.name))
      )
      const subscription = yield* PubSub.subscribe(air.said)
      return Stream.fromSubscription(subscription).pipe(
        // As gossip's subscription: only what workers say of themselves.
        Stream.filter((heard) => heard.about === "control" || heard.routingKey.startsWith("worker."))
      )
    }),
    publish: (routingKey, body) =>
      Effect.asVoid(PubSub.publish(air.said, { about: "event", routingKey, headers: { hostname: me.name }, body })),
    reply: (to, body, clock) =>
      Effect.suspend(() => {
        const mailbox = to.exchange === replyExchange ? air.waiting.get(to.routingKey) : undefined
        if (mailbox === undefined) return Effect.succeed(false)
        return Queue.offer(mailbox, { headers: { ticket: to.ticket, clock }, body })
      }),
    ask: Effect.fn("Fleet.ask")(function* (question) {
      const oid = randomUUID()
      const mailbox = yield* Effect.acquireRelease(
        Effect.tap(Queue.unbounded<Answer>(), (queue) => Effect.sync(() => air.waiting.set(oid, queue))),
        () => Effect.sync(() => air.waiting.delete(oid))
      )
      const expected = Math.min(air.hearers.size, question.destination?.length ?? air.hearers.size)
      yield* PubSub.publish(air.said, {
        about: "control",
        routingKey: "",
        headers: { clock: question.clock },
        body: envelope.questionBody(question, oid)
      })
      const answers: Array<Answer> = []
      while (answers.length < expected) {
        const next = yield* Effect.timeoutOption(Queue.take(mailbox), question.patience)
        if (Option.isNone(next)) break
        answers.push(next.value)
      }
      return answers
    }, Effect.scoped),
    join: (queues) =>
      Effect.sync(() => {
        air.joined.add(me.name)
        for (const { queue } of queues) air.bound.add(queue)
      }),
    leave: Effect.sync(() => {
      air.joined.delete(me.name)
    }),
    remember: (what, revoked) =>
      Effect.sync(() => {
        const kept = air.revoked[what]
        for (const [one, until] of revoked) kept.set(one, until)
        for (const one of kept.keys()) {
          if (kept.size <= MAX_REVOKED) break
          kept.delete(one)
        }
      }),
    remembered: (what) =>
      Effect.map(Clock.currentTimeMillis, (now) => new Map([...air.revoked[what]].filter(([, until]) => until > now)))
  } satisfies Fleet
})

export const layer = Layer.effect(Fleet, make)
