import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Fiber, type Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { Catalogue, PORTRAIT } from "../../src/services/Catalogue.ts"
import { Generator } from "../../src/services/Generator.ts"

/** What a test may arrange behind a generator, and see there. */
export class Ground extends Context.Service<
  Ground,
  {
    readonly next: (
      what:
        | "answer lost"
        | "no id"
        | "busy"
        | "busy for a minute"
        | "locked"
        | "endpoint refused"
        | "flagged"
        | "unreadable"
        | "job fails"
        | "content refused"
        | "stuck"
        | "cancel ignored"
        | "stream refused"
        | "stream silent"
        | "stream lies"
    ) => Effect.Effect<void>
    /** Executions begun so far, which is what fal bills by. */
    readonly executions: Effect.Effect<number>
    /** Status streams that are open: who asks waits until so many are, or for ever. */
    readonly streaming: (count: number) => Effect.Effect<void>
  }
>()("test/contracts/Ground") {}

const request = { _tag: "Generate", prompt: "Fashion model, female", seed: 7, size: PORTRAIT } as const
const endpointOf = Effect.map(Catalogue, ({ endpoints }) => endpoints.Generate)
/** One picture asked for, in the words of the provider under test. */
const submitted = Effect.gen(function* () {
  const { inputOf } = yield* Catalogue
  const endpoint = yield* endpointOf
  const generator = yield* Generator
  return yield* generator.submit({ endpoint, input: inputOf(request, endpoint) })
})

const executionsOf = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const { executions } = yield* Ground
  const before = yield* executions
  const value = yield* effect
  return [value, (yield* executions) - before] as const
})
const whyNot = <A, R>(effect: Effect.Effect<A, { readonly reason: { readonly _tag: string } }, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)
const jobTime = TestClock.adjust("3 seconds")

/** What every generator promises, in a time that stands still until it is moved. */
export const generatorContract = <E>(name: string, ground: Layer.Layer<Catalogue | Generator | Ground, E>) =>
  layer(ground)(`${name} keeps the generator's contract`, (it) => {
    it.effect("an accepted submit is one execution, and its picture has the size and seed asked for", () =>
      Effect.gen(function* () {
        const generator = yield* Generator
        const [ticket, executions] = yield* executionsOf(submitted)
        assert.strictEqual(executions, 1)
        assert.strictEqual((yield* generator.progress(ticket))._tag, "Running")
        assert.strictEqual(yield* whyNot(generator.result(ticket)), "Unreachable")
        yield* jobTime
        assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended")
        const picture = yield* generator.result(ticket)
        assert.deepInclude(picture, {
          width: 768,
          height: 1024,
          contentType: "image/jpeg",
          seed: 7,
          flagged: false,
          billableUnits: 1
        })
        assert.deepStrictEqual(yield* generator.result(ticket), picture, "reading it takes nothing away")
      })
    )

    it.effect("the same input submitted twice is two executions", () =>
      Effect.gen(function* () {
        const submit = submitted
        const [[first, second], executions] = yield* executionsOf(Effect.all([submit, submit]))
        assert.strictEqual(executions, 2)
        assert.notStrictEqual(first.requestId, second.requestId)
        yield* jobTime
      })
    )

    it.effect("a lost answer is Uncertain, and one execution went on", () =>
      Effect.gen(function* () {
        yield* (yield* Ground).next("answer lost")
        assert.deepStrictEqual(yield* executionsOf(whyNot(submitted)), ["Uncertain", 1])
        yield* jobTime
      })
    )

    it.effect("an acceptance without a request id says so, and one execution went on", () =>
      Effect.gen(function* () {
        yield* (yield* Ground).next("no id")
        assert.deepStrictEqual(yield* executionsOf(whyNot(submitted)), ["AcceptedWithoutId", 1])
        yield* jobTime
      })
    )

    it.effect("a refusal says how far it reaches, and a busy answer how long to wait, where fal says so", () =>
      Effect.gen(function* () {
        const endpoint = yield* endpointOf
        const { next } = yield* Ground
        const refusal = Effect.map(Effect.flip(submitted), ({ reason }) => reason)
        yield* next("locked")
        assert.deepInclude(yield* refusal, { _tag: "AccountProblem", scope: "account", endpoint })
        yield* next("endpoint refused")
        assert.deepInclude(yield* refusal, { _tag: "AccountProblem", scope: "endpoint", endpoint })
        yield* next("busy for a minute")
        assert.deepInclude(yield* refusal, { _tag: "Busy", retryAfter: 60 })
      })
    )

    it.effect("a ticket is found by its endpoint and request id alone", () =>
      Effect.gen(function* () {
        const endpoint = yield* endpointOf
        const generator = yield* Generator
        const { requestId } = yield* submitted
        yield* jobTime
        assert.strictEqual((yield* generator.result({ endpoint, requestId })).seed, 7)
      })
    )

    it.effect("busy and locked take nothing", () =>
      Effect.gen(function* () {
        const { next } = yield* Ground
        yield* next("busy")
        assert.deepStrictEqual(yield* executionsOf(whyNot(submitted)), ["Busy", 0])
        yield* next("locked")
        assert.deepStrictEqual(yield* executionsOf(whyNot(submitted)), ["AccountProblem", 0])
      })
    )

    for (const [what, reason] of [
      ["job fails", "JobFailed"],
      ["content refused", "Refused"],
      ["unreadable", "Unreadable"]
    ] as const) {
      it.effect(`when the ${what} it has ended, and the result is ${reason}`, () =>
        Effect.gen(function* () {
          const generator = yield* Generator
          yield* (yield* Ground).next(what)
          const ticket = yield* submitted
          yield* jobTime
          assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended")
          assert.strictEqual(yield* whyNot(generator.result(ticket)), reason)
        })
      )
    }

    it.effect("a flagged picture is paid for and says so", () =>
      Effect.gen(function* () {
        const generator = yield* Generator
        yield* (yield* Ground).next("flagged")
        const ticket = yield* submitted
        yield* jobTime
        assert.deepInclude(yield* generator.result(ticket), { flagged: true, billableUnits: 1 })
      })
    )

    it.effect("a queued request waits for ever, until it is cancelled", () =>
      Effect.gen(function* () {
        const generator = yield* Generator
        yield* (yield* Ground).next("stuck")
        const ticket = yield* submitted
        yield* TestClock.adjust("10 minutes")
        assert.deepStrictEqual(yield* generator.progress(ticket), { _tag: "Queued", position: 0 })
        assert.strictEqual(yield* generator.cancel(ticket), "asked")
        assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended")
        assert.strictEqual(yield* whyNot(generator.result(ticket)), "Cancelled")
        assert.strictEqual(yield* generator.cancel(ticket), "ended")
      })
    )

    describe("a status stream", () => {
      const listening = Effect.fnUntraced(function* (what?: "stream silent") {
        const generator = yield* Generator
        const { next, streaming } = yield* Ground
        if (what !== undefined) yield* next(what)
        const ticket = yield* submitted
        const stream = yield* Effect.forkChild(generator.awaitEnd(ticket))
        yield* streaming(1)
        return { generator, streaming, stream, ticket }
      })

      it.effect("tells of the end when it has come, and then is gone", () =>
        Effect.gen(function* () {
          const { generator, stream, streaming, ticket } = yield* listening()
          yield* TestClock.adjust("900 millis")
          assert.isUndefined(stream.pollUnsafe())
          yield* jobTime
          assert.isTrue(Option.isSome(yield* Fiber.join(stream)))
          yield* streaming(0)
          assert.isTrue(Option.isSome(yield* generator.awaitEnd(ticket)), "of one that has ended already, too")
        })
      )

      it.effect("tells of the end of what was cancelled", () =>
        Effect.gen(function* () {
          const { generator, stream, ticket } = yield* listening()
          yield* generator.cancel(ticket)
          yield* TestClock.adjust("300 millis")
          assert.isTrue(Option.isSome(yield* Fiber.join(stream)))
        })
      )

      it.effect("that is silent says nothing for ever, and ends with whoever listens", () =>
        Effect.gen(function* () {
          const { generator, stream, streaming, ticket } = yield* listening("stream silent")
          yield* TestClock.adjust("10 minutes")
          assert.isUndefined(stream.pollUnsafe())
          assert.strictEqual((yield* generator.progress(ticket))._tag, "Ended", "a look knows better")
          yield* Fiber.interrupt(stream)
          yield* streaming(0)
        })
      )

      it.effect("that is refused, or of a request nobody made, says that it will say nothing", () =>
        Effect.gen(function* () {
          const endpoint = yield* endpointOf
          const generator = yield* Generator
          const ticket = yield* submitted
          yield* (yield* Ground).next("stream refused")
          assert.isTrue(Option.isNone(yield* generator.awaitEnd(ticket)))
          const nobodys = { endpoint, requestId: "11111111-1111-4111-8111-111111111111" }
          assert.isTrue(Option.isNone(yield* generator.awaitEnd(nobodys)))
          yield* jobTime
        })
      )

      it.effect("may say so of one that has not ended: a result is none before it is there", () =>
        Effect.gen(function* () {
          const generator = yield* Generator
          const ticket = yield* submitted
          yield* (yield* Ground).next("stream lies")
          assert.isTrue(Option.isSome(yield* generator.awaitEnd(ticket)))
          assert.strictEqual(yield* whyNot(generator.result(ticket)), "Unreachable")
          yield* jobTime
        })
      )
    })

    it.effect("what was asked to cancel may complete all the same", () =>
      Effect.gen(function* () {
        const generator = yield* Generator
        yield* (yield* Ground).next("cancel ignored")
        const ticket = yield* submitted
        assert.strictEqual(yield* generator.cancel(ticket), "asked")
        yield* jobTime
        assert.isFalse((yield* generator.result(ticket)).flagged)
      })
    )

    it.effect("a request nobody made is Unknown, and the probe is content with that", () =>
      Effect.gen(function* () {
        const endpoint = yield* endpointOf
        const generator = yield* Generator
        const ticket = { endpoint, requestId: "11111111-1111-4111-8111-111111111111" }
        assert.strictEqual(yield* whyNot(generator.progress(ticket)), "Unknown")
        assert.strictEqual(yield* whyNot(generator.result(ticket)), "Unknown")
        assert.strictEqual(yield* generator.cancel(ticket), "unknown")
        yield* generator.probe
      })
    )
  })
