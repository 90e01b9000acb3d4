import { Clock, Effect, Layer, Option, Queue, Stream } from "effect"
import { randomUUID } from "node:crypto"
import { type Answer, Fleet, FleetError, type Heard, MAX_REVOKED } from "../../services/Fleet.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { channelsOf } from "./channels.ts"
import * as Connections from "./Connections.ts"
import { connect } from "./connect.ts"
import * as envelope from "./envelope.ts"
import * as kombu from "../../wire/kombu.ts"
import { bind } from "./scripts/script.ts"
import { writeReply } from "./scripts/writeReply.ts"
import { broker } from "./where.ts"
import { attempting } from "../attempting.ts"

const attempt = attempting(FleetError)

/** Received messages that wait to be read; beyond this number the oldest is dropped. */
const UNHEARD = 1000

const make = Effect.gen(function* () {
  const me = yield* WorkerIdentity
  const where = yield* broker
  const connections = yield* Connections.Connections
  const redis = yield* connections.commands(where)
  const { control, events } = yield* channelsOf(where)
  const reply = bind(redis, writeReply)

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
      return attempt("reply", () => {
        const headers = { ticket: to.ticket, clock }
        const raw = envelope.seal({ body, headers, exchange: to.exchange, routingKey: to.routingKey })
        const list = kombu.replyQueue(to.routingKey)
        return reply({ list, binding: kombu.member({ routingKey: to.routingKey, queue: list }), answer: raw })
      })
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
      // Redis tells how many workers received the question, so we do not wait for one that is not there.
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
          for (const { key, member } of kombu.controlBindings(me.name, me.boot)) pipeline.sadd(key, member)
          return pipeline.exec()
        })
      ),
    leave: Effect.asVoid(
      attempt("leave", () => {
        const pipeline = redis.multi()
        for (const { key, member } of kombu.controlBindings(me.name, me.boot)) pipeline.srem(key, member)
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
