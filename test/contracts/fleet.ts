import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Option, type Scope, Stream } from "effect"
import { Fleet, type Heard, type ReplyAddress } from "../../src/services/Fleet.ts"

/** A broker that is empty at the start of each test, and workers on it that can speak. */
export interface Air {
  readonly voice: (name: string) => Layer.Layer<never>
}

const CONTROL = { exchange: "reply.celery.pidbox" }

const addressOf = (heard: Heard): ReplyAddress => {
  const { reply_to, ticket } = heard.body as { reply_to: { exchange: string; routing_key: string }; ticket: string } // from our own `ask`
  return { exchange: reply_to.exchange, routingKey: reply_to.routing_key, ticket }
}

/** What carries the workers' talk keeps this, be it Redis or this process. */
export const fleetContract = (name: string, air: Effect.Effect<Air, never, Scope.Scope>) => {
  const voices = (...names: ReadonlyArray<string>) =>
    Effect.flatMap(air, ({ voice }) =>
      Effect.forEach(names, (one) =>
        Effect.flatMap(Layer.build(voice(one)), (context) =>
          Effect.provideContext(
            Effect.map(Fleet, (fleet) => fleet),
            context
          )
        )
      )
    )
  const answering = (fleet: Fleet, who: string, body: unknown) =>
    Effect.flatMap(fleet.hear, (heard) =>
      Effect.forkScoped(
        Stream.runForEach(heard, (one) =>
          one.about === "control" ? Effect.asVoid(fleet.reply(addressOf(one), { [who]: body }, 9)) : Effect.void
        )
      )
    )
  const hello = { method: "hello", arguments: { from_node: "a" }, destination: null, clock: 4, patience: 1000 }

  describe(name, () => {
    it.live("a question reaches all who listen, and ends when all have answered", () =>
      Effect.gen(function* () {
        const [one, two, three] = yield* voices("one", "two", "three")
        yield* answering(one!, "one", { ok: "pöng" })
        yield* answering(two!, "two", null)
        // Were the patience waited for, the test would not end.
        const patient = { ...hello, patience: 60_000 }
        const answers = yield* three!.ask(patient)
        assert.sameDeepMembers(
          answers.map(({ body }) => body),
          [{ one: { ok: "pöng" } }, { two: null }]
        )
        assert.strictEqual(answers[0]?.headers["clock"], 9)
        assert.strictEqual((yield* three!.ask({ ...patient, destination: ["one"] })).length, 1)
      })
    )

    it.live("a question nobody hears is answered by nobody, at once; one nobody answers, when the patience ends", () =>
      Effect.gen(function* () {
        const [one, two] = yield* voices("one", "two")
        assert.deepStrictEqual(yield* one!.ask(hello), [])
        yield* Effect.asVoid(two!.hear)
        assert.deepStrictEqual(yield* one!.ask({ ...hello, patience: 200 }), [])
      })
    )

    it.live("an answer is kept only while somebody waits for it", () =>
      Effect.gen(function* () {
        const [one, two] = yield* voices("one", "two")
        const heard = yield* one!.hear
        const first = yield* Effect.forkChild(Stream.runHead(heard))
        yield* two!.ask({ ...hello, patience: 100 })
        const question = Option.getOrThrow(yield* Fiber.join(first))
        assert.isFalse(yield* one!.reply(addressOf(question), { one: "late" }, 1))
        assert.isFalse(yield* one!.reply({ ...CONTROL, routingKey: "nobody", ticket: null }, {}, 1))
        // An exchange of tasks is no place for answers.
        assert.isFalse(yield* one!.reply({ exchange: "generator_queue", routingKey: "generator_queue", ticket: null }, {}, 1))
      })
    )

    it.live("what workers say of themselves is heard by the others in order, what they say of tasks is not", () =>
      Effect.gen(function* () {
        const [one, two] = yield* voices("one", "two")
        const heard = yield* Effect.flatMap(two!.hear, (stream) => Effect.forkChild(Stream.runCollect(Stream.take(stream, 2))))
        yield* one!.publish("worker.online", { type: "worker-online", hostname: "one" })
        yield* one!.publish("task.multi", [{ type: "task-started" }])
        yield* one!.publish("worker.heartbeat", { type: "worker-heartbeat", loadavg: [0.5, 1] })
        const events = [...(yield* Fiber.join(heard))]
        assert.deepStrictEqual(
          events.map(({ about, routingKey }) => [about, routingKey]),
          [
            ["event", "worker.online"],
            ["event", "worker.heartbeat"]
          ]
        )
        assert.deepStrictEqual(events[1]?.body, { type: "worker-heartbeat", loadavg: [0.5, 1] })
        assert.strictEqual(events[0]?.headers["hostname"], "one")
      })
    )

    it.live("revoked ids and stamps are remembered for whoever comes, until their time is over", () =>
      Effect.gen(function* () {
        const [one, two] = yield* voices("one", "two")
        const now = yield* Clock.currentTimeMillis
        yield* one!.remember("ids", new Map([["old", now - 1]]))
        yield* one!.remember(
          "ids",
          new Map([
            ["a", now + 60_000],
            ["b", now + 90_000]
          ])
        )
        yield* one!.remember("stamps", new Map([['["project","p1"]', now + 60_000]]))
        const known = yield* two!.remembered("ids")
        assert.deepStrictEqual([...(yield* two!.remembered("stamps"))], [['["project","p1"]', now + 60_000]])
        assert.deepStrictEqual([...known].toSorted(), [
          ["a", now + 60_000],
          ["b", now + 90_000]
        ])
        yield* one!.remember("ids", new Map())
      })
    )

    it.live("joining and leaving go well any number of times", () =>
      Effect.gen(function* () {
        const [one] = yield* voices("one")
        const queues = [{ queue: "q", exchange: "q", routingKey: "q" }]
        yield* one!.join(queues)
        yield* one!.join(queues)
        yield* one!.leave
        yield* one!.leave
      })
    )
  })
}
