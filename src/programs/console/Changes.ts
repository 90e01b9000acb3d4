import { Clock, Context, Effect, Layer, Schedule, Stream } from "effect"
import { Budget } from "../../services/Budget.ts"
import { QueueInspector } from "../../services/QueueInspector.ts"
import { Reviews } from "../../services/Reviews.ts"
import { TaskLives } from "../../services/TaskLives.ts"

/** What pages are about that follow what happens. */
export const TOPICS = ["work", "money", "library"] as const
export type Topic = (typeof TOPICS)[number]

/** How often it is looked whether something has changed: what happens is on the page within a second. */
const OFTEN = "400 millis"
/** Ages on a page grow although nothing happens: it is made anew this often at least (milliseconds). */
const AGES = 10_000

/** The queue and the workers, as far as each change of them means something: not since when they are so. */
const work = Effect.gen(function* () {
  const inspector = yield* QueueInspector
  const lives = yield* TaskLives
  const [status, [newest]] = yield* Effect.all([inspector.status, lives.recent(1)], { concurrency: 2 })
  const queues = status.queues.map(({ dead, queue, ready }) => [queue, ready, dead])
  const workers = status.workers.map((one) => [one.boot, one.alive, one.consuming, one.doing, one.holds, one.processed])
  const age = Math.floor((yield* Clock.currentTimeMillis) / AGES)
  return JSON.stringify([queues, workers, status.unacknowledged, status.scheduled, newest?.taskId, newest?.last.to, age])
})

type World = QueueInspector | TaskLives | Budget | Reviews
/** For each topic a text that is another one when a page about it is out of date. */
const looks: Readonly<Record<Topic, Effect.Effect<string, unknown, World>>> = {
  work,
  money: Effect.flatMap(Budget, ({ status }) => Effect.map(status, (standing) => JSON.stringify(standing))),
  library: Effect.flatMap(Reviews, ({ state }) => state)
}

/**
 * Tells when a page about these topics is out of date. All who look share one look at the broker and the database, and while
 * nobody looks none is made.
 */
export class Changes extends Context.Service<Changes, { readonly of: (topics: ReadonlyArray<Topic>) => Stream.Stream<void> }>()(
  "model-generator/programs/console/Changes"
) {}

export const layer = Layer.effect(
  Changes,
  Effect.gen(function* () {
    const world = yield* Effect.context<World>()
    const follow = (topic: Topic) =>
      // What does not answer has changed too: the page says so.
      Stream.fromEffectSchedule(
        Effect.orElseSucceed(looks[topic], () => ""),
        Schedule.spaced(OFTEN)
      ).pipe(Stream.changes, Stream.provideContext(world), Stream.share({ capacity: 1, strategy: "sliding", replay: 1 }))
    const streams = { work: yield* follow("work"), money: yield* follow("money"), library: yield* follow("library") }
    return Changes.of({
      of: (topics) =>
        Stream.mergeAll(
          topics.map((topic) => streams[topic]),
          { concurrency: "unbounded" }
        ).pipe(Stream.map(() => undefined))
    })
  })
)
