import { Clock, Effect, Fiber, Layer, Result, Scope } from "effect"
import { explain } from "../explain.ts"
import { within } from "../runtime/within.ts"

/** When all answers must be there, and how long that is from the start (milliseconds). */
export interface Until {
  readonly at: number
  readonly patience: number
}

export interface Answer<A> {
  readonly ms: number
  readonly said: Result.Result<A, string>
}

/** Asks, and walks away from an answer that is late: drivers wait for a dead peer, each as long as it likes. */
export const ask = Effect.fnUntraced(function* <A, E, R>(question: Effect.Effect<A, E, R>, until: Until) {
  const before = yield* Clock.currentTimeMillis
  const fiber = yield* Effect.forkDetach(Effect.result(Effect.mapError(question, explain)), { startImmediately: true })
  const said: Result.Result<A, string> = yield* Fiber.join(fiber).pipe(
    Effect.timeoutOrElse({
      duration: Math.max(0, until.at - before),
      orElse: () => Effect.succeed(Result.fail(`no answer within ${until.patience / 1000} s`))
    })
  )
  fiber.interruptUnsafe()
  return { ms: (yield* Clock.currentTimeMillis) - before, said } satisfies Answer<A>
})

/** Asks a world on connections of its own, which it does not wait for at the end. */
export const asking = <W, E, A, E2, R>(
  world: Layer.Layer<W, E>,
  patience: number,
  questions: (until: Until) => Effect.Effect<A, E2, R>
) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const until = { at: (yield* Clock.currentTimeMillis) + patience, patience }
      return yield* Layer.buildWithScope(world, scope).pipe(
        Effect.flatMap((context) => Effect.provideContext(questions(until), context)),
        restore,
        Effect.onExit((exit) => within(Scope.close(scope, exit), "500 millis"))
      )
    })
  )
