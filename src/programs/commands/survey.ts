import { Clock, Effect, type Layer } from "effect"
import { Budget, type Standing } from "../../services/Budget.ts"
import { type Closed, Endpoints } from "../../services/Endpoints.ts"
import { Generator } from "../../services/Generator.ts"
import { FAL_KEEPS, type LibraryError, ModelLibrary } from "../../services/ModelLibrary.ts"
import { ResultStore } from "../../services/ResultStore.ts"
import { MediaStore } from "../../services/MediaStore.ts"
import { type Finding, Preconditions } from "../../services/Preconditions.ts"
import { QueueInspector, type QueueStatus } from "../../services/QueueInspector.ts"
import { type Answer, ask, asking, type Until } from "./asking.ts"

/** A dependency that has not answered by then, with the time to connect, counts as down (milliseconds). */
const PATIENCE = 2500

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
  readonly budget: Answer<ReadonlyArray<Standing>>
}

export type World = Budget | Endpoints | QueueInspector | ResultStore | ModelLibrary | MediaStore | Generator

/** Everything an operator asks first, all at once: takes as long as the slowest answer, up to `until`. */
const survey = <E>(pending: Effect.Effect<ReadonlyArray<string>, LibraryError | E>, until: Until) =>
  Effect.gen(function* () {
    const inspector = yield* QueueInspector
    const results = yield* ResultStore
    const library = yield* ModelLibrary
    const store = yield* MediaStore
    const generator = yield* Generator
    const endpoints = yield* Endpoints
    const budget = yield* Budget
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
        preconditions: ask(look, until),
        budget: ask(
          Effect.map(budget.status, ({ standings }) => standings),
          until
        )
      },
      { concurrency: "unbounded" }
    )
  })

/** The survey by what is connected already. */
export const surveyHere = <E>(pending: Effect.Effect<ReadonlyArray<string>, LibraryError | E>) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => survey(pending, { at: now + PATIENCE, patience: PATIENCE }))

/** The survey on connections of its own, which it does not wait for at the end. */
export const surveyOf = <E, E2>(world: Layer.Layer<World, E>, pending: Effect.Effect<ReadonlyArray<string>, LibraryError | E2>) =>
  asking(world, PATIENCE, (until) => survey(pending, until))
