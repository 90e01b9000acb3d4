import { Clock, Effect, Fiber, Layer, Result, Scope } from "effect"
import { type Closed, Endpoints } from "../../services/Endpoints.ts"
import { Generator } from "../../services/Generator.ts"
import { FAL_KEEPS, type LibraryError, ModelLibrary } from "../../services/ModelLibrary.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import { MediaStore } from "../../services/MediaStore.ts"
import { type Finding, Preconditions } from "../../services/Preconditions.ts"
import { QueueInspector, type QueueStatus } from "../../services/QueueInspector.ts"
import { explain } from "../explain.ts"
import { within } from "../runtime/within.ts"

/** A dependency that has not answered by then, with the time to connect, counts as down (milliseconds). */
const PATIENCE = 2500

export interface Answer<A> {
  readonly ms: number
  readonly said: Result.Result<A, string>
}

/** Asks, and walks away from an answer that is late: drivers wait for a dead peer, each as long as it likes. */
const ask = Effect.fnUntraced(function* <A, E, R>(question: Effect.Effect<A, E, R>, until: number) {
  const before = yield* Clock.currentTimeMillis
  const fiber = yield* Effect.forkDetach(Effect.result(Effect.mapError(question, explain)), { startImmediately: true })
  const said: Result.Result<A, string> = yield* Fiber.join(fiber).pipe(
    Effect.timeoutOrElse({
      duration: Math.max(0, until - before),
      orElse: () => Effect.succeed(Result.fail(`no answer within ${PATIENCE / 1000} s`))
    })
  )
  fiber.interruptUnsafe()
  return { ms: (yield* Clock.currentTimeMillis) - before, said } satisfies Answer<A>
})

export interface Survey {
  readonly broker: Answer<void>
  readonly results: Answer<void>
  readonly database: Answer<void>
  /** Whether the table would take a row of ours. */
  readonly saving: Answer<void>
  /** Whether the media store would take a file; `"unset"` where there is none. */
  readonly media: Answer<"ready" | "unset">
  /** Rows whose picture fal may have deleted. */
  readonly overdue: Answer<number>
  readonly migrations: Answer<ReadonlyArray<string>>
  readonly fal: Answer<void>
  /** Endpoints that fal has refused to the workers, which the free probe does not show. */
  readonly closed: Answer<ReadonlyArray<Closed>>
  readonly queue: Answer<QueueStatus>
  readonly preconditions: Answer<ReadonlyArray<Finding>>
}

export type World = Endpoints | QueueInspector | ResultStore | ModelLibrary | MediaStore | Generator

/** Everything an operator asks first, all at once: takes as long as the slowest answer, up to `until`. */
const survey = <E>(pending: Effect.Effect<ReadonlyArray<string>, LibraryError | E>, until: number) =>
  Effect.gen(function* () {
    const inspector = yield* QueueInspector
    const results = yield* ResultStore
    const library = yield* ModelLibrary
    const store = yield* MediaStore
    const generator = yield* Generator
    const endpoints = yield* Endpoints
    const { look } = yield* Preconditions
    return yield* Effect.all(
      {
        broker: ask(inspector.ping, until),
        results: ask(results.ping, until),
        database: ask(library.ping, until),
        saving: ask(library.rehearse, until),
        media: ask(store.kind === "unset" ? Effect.succeed("unset" as const) : Effect.as(store.check, "ready" as const), until),
        overdue: ask(library.atFalSince(FAL_KEEPS), until),
        migrations: ask(pending, until),
        fal: ask(generator.probe, until),
        closed: ask(endpoints.closed, until),
        queue: ask(inspector.status, until),
        preconditions: ask(look, until)
      },
      { concurrency: "unbounded" }
    )
  })

/** The survey on connections of its own, which it does not wait for at the end. */
export const surveyOf = <E, E2>(world: Layer.Layer<World, E>, pending: Effect.Effect<ReadonlyArray<string>, LibraryError | E2>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const until = (yield* Clock.currentTimeMillis) + PATIENCE
      return yield* Layer.buildWithScope(world, scope).pipe(
        Effect.flatMap((context) => Effect.provideContext(survey(pending, until), context)),
        restore,
        Effect.onExit((exit) => within(Scope.close(scope, exit), "500 millis"))
      )
    })
  )
