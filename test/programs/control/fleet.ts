/** A world (test/programs/world.ts) whose workers speak to each other, and somebody who speaks to them as Celery's tools do. */
import { Context, Effect, Layer, Option, PubSub, Queue } from "effect"
import { TestClock } from "effect/testing"
import * as FleetMemory from "../../../src/layers/memory/FleetMemory.ts"
import { type Answer, Fleet } from "../../../src/services/Fleet.ts"
import { identity, uniqueId } from "../../support.ts"
import { makeWorldWith } from "../world.ts"

type Body = Readonly<Record<string, unknown>>

/** A fleet with what all of it shares set by `env`. */
export const makeFleetWith = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
  const world = yield* makeWorldWith({ env })
  const air = Context.get(yield* Layer.build(FleetMemory.MemoryAir.layer), FleetMemory.MemoryAir)
  const voice = (name: string) =>
    Effect.map(
      Layer.build(
        Layer.fresh(FleetMemory.layer).pipe(
          Layer.provide(identity(name)),
          Layer.provide(Layer.succeed(FleetMemory.MemoryAir, air))
        )
      ),
      (context) => Context.get(context, Fleet)
    )

  const start = Effect.fnUntraced(function* (
    name = "w1@host",
    env: Readonly<Record<string, string>> = {},
    spoilt: Partial<Fleet> = {}
  ) {
    const worker = yield* Effect.provideService(world.start({ name, env }), Fleet, { ...(yield* voice(name)), ...spoilt })
    yield* TestClock.adjust("1 second") // mingle
    return worker
  })

  const settled = Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow, { discard: true })
  /** Says it to all and gives what is answered at once. */
  const call = Effect.fnUntraced(function* (body: Body, headers: Body = { clock: 1 }) {
    const oid = uniqueId("oid")
    const mailbox = yield* Queue.unbounded<Answer>()
    air.waiting.set(oid, mailbox)
    const reply_to = { exchange: "reply.celery.pidbox", routing_key: oid }
    const message = { arguments: {}, destination: null, pattern: null, matcher: null, ticket: oid, reply_to, ...body }
    yield* PubSub.publish(air.said, { about: "control", routingKey: "", headers, body: message })
    yield* settled
    air.waiting.delete(oid)
    const answers = yield* Queue.clear(mailbox)
    return Object.assign({}, ...answers.map((answer) => answer.body)) as Readonly<Record<string, unknown>> // node to reply
  })
  const ask = (method: string, given: Body = {}) =>
    Effect.map(call({ method, arguments: given }), (answers) => answers["w1@host"])

  /** All events from now on. */
  const listen = Effect.map(PubSub.subscribe(air.said), (subscription) =>
    Effect.gen(function* () {
      yield* settled
      const heard: Array<{ readonly channel: string; readonly body: unknown }> = []
      while (true) {
        const next = yield* Effect.timeoutOption(PubSub.take(subscription), 0).pipe(
          Effect.raceFirst(Effect.as(settled, Option.none()))
        )
        if (Option.isNone(next)) return heard
        if (next.value.about === "event") heard.push({ channel: next.value.routingKey, body: next.value.body })
      }
    })
  )
  /** An event from somebody else. */
  const tell = (routingKey: string, body: unknown) =>
    Effect.andThen(PubSub.publish(air.said, { about: "event", routingKey, headers: { hostname: "other@host" }, body }), settled)
  return { ...world, air, start, call, ask, listen, tell, voice, settled }
})
export const makeFleet = makeFleetWith({})
