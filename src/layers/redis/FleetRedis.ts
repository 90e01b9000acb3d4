import { Clock, Effect, Layer, Option, Queue, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { type Answer, Fleet, FleetError, type Heard, MAX_REVOKED } from "../services/Fleet.ts"
import { WorkerIdentity } from "../services/WorkerIdentity.ts"
import { channelsOf } from "./redis/channels.ts"
import * as Connections from "./redis/Connections.ts"
import { connect, script } from "./redis/connect.ts"
import * as envelope from "./redis/envelope.ts"
import * as kombu from "./redis/kombu.ts"
import { broker } from "./redis/where.ts"

const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new FleetError({ operation, cause }) })

/**
 * KEYS the bindings of the reply exchange, the reply list. ARGV the list's binding, answer. 1 when the list was bound, and so is
 * read: without a binding nobody would ever read or remove the answer. A list nobody empties goes away by itself. An answer is
 * written to a reply list alone, whatever its message says: another list would be somebody's tasks, and end with it.
 */
const writeReply = `
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], 300)
return 1`

/** What is heard and not yet looked at; of more than this the oldest is forgotten. */
const UNHEARD = 1000

const make = Effect.gen(function* () {
  const me = yield* WorkerIdentity
  const where = yield* broker
  const connections = yield* Connections.Connections
  const redis = yield* connections.commands(where)
  const { control, events } = yield* channelsOf(where)
  const reply = script(redis, "mgReply", writeReply)

  const heard = (channel: string, raw: string): Option.Option<Heard> =>
    Option.filter(
      Option.map(envelope.open(raw), (letter): Heard => ({ about: channel === control ? "control" : "event", ...letter })),
      // Where all share a channel the events of tasks come too, and are no news for a worker.
      ({ about, routingKey }) => about === "control" || routingKey.startsWith("worker.")
    )

  const hear = Effect.gen(function* () {
    const line = yield* connections.own(where)
    const queue = yield* Queue.sliding<Heard>(UNHEARD)
    line.on("pmessage", (_pattern: string, channel: string, raw: string) => {
      const one = heard(channel, raw)
      if (Option.isSome(one)) Queue.offerUnsafe(queue, one.value)
    })
    yield* attempt("hear", () => line.psubscribe(control, events("worker.*")))
    return Stream.fromQueue(queue)
  })

  return {
    hear,
    publish: (routingKey, body) =>
      Effect.suspend(() => {
        const raw = envelope.seal({ body, headers: { hostname: me.name }, exchange: "celeryev", routingKey })
        return Effect.asVoid(attempt("publish", () => redis.publish(events(routingKey), raw)))
      }),
    reply: (to, body, clock) => {
      if (to.exchange !== kombu.replyExchange) return Effect.succeed(false)
      return Effect.map(
        attempt("reply", () => {
          const headers = { ticket: to.ticket, clock }
          const raw = envelope.seal({ body, headers, exchange: to.exchange, routingKey: to.routingKey })
          const list = kombu.replyQueue(to.routingKey)
          const bound = kombu.member({ routingKey: to.routingKey, queue: list })
          return reply([kombu.bindings(kombu.replyExchange), list], [bound, raw])
        }),
        (written) => written === 1
      )
    },
    ask: Effect.fn("Fleet.ask")(function* (question) {
      const oid = randomUUID()
      const mailbox = kombu.replyQueue(oid)
      const bound = kombu.member({ routingKey: oid, queue: mailbox })
      const replies = kombu.bindings(kombu.replyExchange)
      const line = yield* connect(where, "blocking", question.patience + 2000)
      yield* Effect.acquireRelease(
        attempt("ask", () => redis.sadd(replies, bound)),
        () => Effect.ignore(attempt("ask", () => redis.multi().srem(replies, bound).del(mailbox).exec()))
      )
      const now = yield* Clock.currentTimeMillis
      const raw = envelope.seal({
        body: envelope.questionBody(question, oid),
        headers: { clock: question.clock, expires: (now + question.patience) / 1000 },
        exchange: kombu.pidbox,
        routingKey: "",
        lasting: true
      })
      // Who hears it is known, so nobody is waited for who is not there.
      const hearers = yield* attempt("ask", () => redis.publish(control, raw))
      const expected = Math.min(hearers, question.destination?.length ?? hearers)
      const answers: Array<Answer> = []
      while (answers.length < expected) {
        const next = yield* attempt("ask", () => line.brpop(mailbox, question.patience / 1000))
        if (next === null) break
        answers.push(...Option.toArray(envelope.open(next[1])))
      }
      return answers
    }, Effect.scoped),
    join: (queues) =>
      Effect.asVoid(
        attempt("join", () => {
          const pipeline = redis.multi()
          for (const one of queues) pipeline.sadd(kombu.bindings(one.exchange), kombu.member(one))
          for (const { key, member } of kombu.ears(me.name, me.boot)) pipeline.sadd(key, member)
          return pipeline.exec()
        })
      ),
    leave: Effect.asVoid(
      attempt("leave", () => {
        const pipeline = redis.multi()
        for (const { key, member } of kombu.ears(me.name, me.boot)) pipeline.srem(key, member)
        return pipeline.exec()
      })
    ),
    remember: Effect.fnUntraced(function* (what, revoked) {
      if (revoked.size === 0) return
      const now = yield* Clock.currentTimeMillis
      const pairs = [...revoked].slice(-MAX_REVOKED).flatMap(([id, until]) => [String(until), id])
      yield* attempt("remember", () =>
        redis
          .multi()
          .zadd(kombu.revoked[what], ...pairs)
          .zremrangebyscore(kombu.revoked[what], "-inf", String(now))
          .zremrangebyrank(kombu.revoked[what], "0", String(-MAX_REVOKED - 1))
          .exec()
      )
    }),
    remembered: (what) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.map(
          attempt("remembered", () => redis.zrangebyscore(kombu.revoked[what], `(${now}`, "+inf", "WITHSCORES")),
          (flat) => {
            const found = new Map<string, number>()
            for (let at = 0; at < flat.length; at += 2) found.set(flat[at]!, Number(flat[at + 1]))
            return found
          }
        )
      )
  } satisfies Fleet
})

export const layer = Layer.effect(Fleet, make).pipe(Layer.provide(Connections.layer))
