import { Effect, Option, Schedule, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { Changes, TOPICS } from "./Changes.ts"
import { Door } from "./Door.ts"
import { look, refuse } from "./visit.ts"

/** Something is said this often, by which both sides find out that a connection is gone; and it is looked whether a session is over. */
const KEEP_ALIVE = "15 seconds"

/** As `EventSource` reads them. An event says that a page is out of date, and never what is on it. */
const EVENT = "data:\n\n"
const ALIVE = "event: alive\ndata:\n\n"

/** Events of the topics that the address names, until the browser goes or the person may look no more. */
export const route = look("/events", "viewer", ({ query, request }) =>
  Effect.gen(function* () {
    const changes = yield* Changes
    const door = yield* Door
    const topics = TOPICS.filter((topic) => query.getAll("about").includes(topic))
    if (topics.length === 0) return yield* refuse(400, "There are no such events.")
    const isIn = Effect.orElseSucceed(Effect.map(door.personOf(request), Option.isSome), () => true)
    const alive = Stream.fromSchedule(Schedule.spaced(KEEP_ALIVE)).pipe(
      Stream.takeWhileEffect(() => isIn),
      Stream.map(() => ALIVE)
    )
    const events = Stream.map(changes.of(topics), () => EVENT)
    return HttpServerResponse.stream(
      Stream.concat(Stream.make("retry: 1000\n\n"), Stream.merge(events, alive, { haltStrategy: "either" })).pipe(
        Stream.encodeText
      ),
      { contentType: "text/event-stream", headers: { "cache-control": "no-store", "x-accel-buffering": "no" } }
    )
  })
)
