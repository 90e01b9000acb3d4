import { Effect, Redacted } from "effect"
import { exchange, makeDeadline, openConnections } from "./exchange.ts"

const PATIENCE = "10 seconds"
export const PLATFORM = "https://api.fal.ai"

/** Asks fal once, within a patience for people, and gives an answer that came whole. Fails with what to tell them. */
export const makeAsk = Effect.gen(function* () {
  const connections = yield* Effect.acquireRelease(
    Effect.sync(() => openConnections({ keepAlive: 5000, connectPatience: 5000 })),
    (open) => Effect.sync(() => open.close())
  )
  return Effect.fnUntraced(function* (method: "GET" | "DELETE", url: URL, key: Redacted.Redacted) {
    const deadline = makeDeadline()
    const headers = { authorization: `Key ${Redacted.value(key)}`, accept: "application/json" }
    const seen = yield* Effect.promise((interrupted) =>
      exchange(
        connections,
        () => ({ method, url: url.href, headers, body: null }),
        AbortSignal.any([interrupted, deadline.signal])
      )
    ).pipe(Effect.timeoutOrElse({ duration: PATIENCE, orElse: () => Effect.fail(`${url.pathname}: no answer in time`) }))
    if (seen._tag !== "Answered") return yield* Effect.fail(`${url.pathname}: ${seen.detail}`)
    if (seen.cut) return yield* Effect.fail(`${url.pathname}: fal answered too much`)
    return seen
  })
})
