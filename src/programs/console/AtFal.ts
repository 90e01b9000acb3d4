import { Cache, Context, Effect, Layer, Option } from "effect"
import { Generator, type Progress, type Ticket } from "../../services/Generator.ts"
import { Journal } from "../../services/Journal.ts"
import * as Entry from "../generation/purchase/JournalEntry.ts"

/** So many requests are asked about for one page. */
const MOST = 20
/** An answer of fal's serves all who look within this time. */
const FRESH = "2 seconds"
const PATIENCE = "1 second"

const said = (progress: Progress) => {
  switch (progress._tag) {
    case "Queued":
      return progress.position === null
        ? "waits in fal's queue"
        : progress.position === 0
          ? "the next in fal's queue"
          : `${progress.position} before it in fal's queue`
    case "Running":
      return "fal works on it"
    case "Ended":
      return "fal has ended it"
  }
}

/**
 * How far the paid requests of running tasks are, in words. The console asks fal itself, about those that somebody looks at, so that
 * no worker asks once more for it.
 */
export class AtFal extends Context.Service<
  AtFal,
  { readonly of: (taskIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, string>> }
>()("model-generator/programs/console/AtFal") {}

export const layer = Layer.effect(
  AtFal,
  Effect.gen(function* () {
    const journal = yield* Journal
    const generator = yield* Generator
    const tickets = new Map<string, Ticket>()
    const progress = yield* Cache.make({
      capacity: 200,
      timeToLive: FRESH,
      lookup: (requestId: string) => {
        const ticket = tickets.get(requestId)
        tickets.delete(requestId)
        return ticket === undefined
          ? Effect.succeed("")
          : generator.progress(ticket).pipe(
              Effect.map(said),
              Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.succeed("") }),
              Effect.orElseSucceed(() => "")
            )
      }
    })
    const stateOf = Effect.fnUntraced(function* (taskId: string) {
      const entry = Option.getOrUndefined((yield* journal.find(taskId)).entry)
      switch (entry?._tag) {
        case "Intended":
          return "about to ask fal, or fal's answer is lost"
        case "Submitted": {
          tickets.set(entry.requestId, Entry.ticketOf(entry))
          const words = yield* Cache.get(progress, entry.requestId)
          return words === "" ? "fal has accepted it" : words
        }
        case "Generated":
          return "its picture is there, and is being stored"
        default:
          return ""
      }
    })
    return AtFal.of({
      of: (taskIds) =>
        Effect.map(
          Effect.forEach(
            taskIds.slice(0, MOST),
            (id) =>
              Effect.map(
                Effect.orElseSucceed(stateOf(id), () => ""),
                (state) => [id, state] as const
              ),
            { concurrency: "unbounded" }
          ),
          (states) => new Map(states)
        )
    })
  })
)
