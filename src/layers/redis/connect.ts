import { Effect } from "effect"
import { counting } from "../counting.ts"
import { Connection, GIVEN_UP, isExpected, kindOf, SILENCE } from "./Connection.ts"
import { labelOf, optionsOf } from "./connectionOptions.ts"
import { inWords, unanswered } from "./trouble.ts"
import type { Where } from "./where.ts"

/** How long a wait at the server lasts before it is asked again (seconds); it is silent all the while. */
const WAIT = 2

/** All connections meet the same failure; it is logged once for all of them in this time (milliseconds). */
const AGAIN = 30_000
const said = new Map<string, number>()
const isNews = (trouble: string) => {
  const now = performance.now()
  if (now - (said.get(trouble) ?? Number.NEGATIVE_INFINITY) < AGAIN) return false
  said.set(trouble, now)
  return true
}

/**
 * A connection that reconnects by itself for as long as its scope lives. One that hears nothing for `silence` after a command
 * (milliseconds) is made anew, also while it greets: its other end may be gone, or no longer be the master. A `blocking` one
 * waits for its own time-out first.
 */
export const connect = Effect.fnUntraced(function* (
  where: Where,
  kind: "commands" | "blocking",
  silence = kind === "commands" ? SILENCE : WAIT * 1000 + SILENCE
) {
  return yield* Effect.acquireRelease(
    Effect.gen(function* () {
      const run = yield* Effect.context<never>()
      const count = yield* counting
      const redis = new Connection({
        ...optionsOf(where),
        keyPrefix: where.keyPrefix,
        retryStrategy: (attempt) => Math.min(attempt * 100, 500),
        connectTimeout: SILENCE,
        maxLoadingRetryTime: 500,
        // A master that became a replica keeps its connections; where the name leads now is found by connecting again.
        reconnectOnError: (error) => error.message.startsWith("READONLY"),
        keepAlive: 30_000,
        replyMapping: "legacy",
        disableClientInfo: true, // Redis before 7.2 answers it with an error
        // A command that waits for a lost connection, or is sent again on a new one, may run when its caller has given up:
        // a claim, for example, would take a message that no worker knows of. So the caller repeats what it still needs.
        ...(kind === "commands"
          ? {
              commandTimeout: 5000,
              enableOfflineQueue: false,
              autoResendUnfulfilledCommands: false,
              maxRetriesPerRequest: 0 // else what was under way when the connection ended would hear of it by its time-out
            }
          : { blockingTimeout: silence, maxRetriesPerRequest: null })
      })
      const tls = redis.options.tls !== undefined
      redis.silence = silence
      redis.trouble = unanswered(tls)
      const server = labelOf(where)
      const failed = (error: Error) => {
        if (!isExpected(error)) Effect.runSyncWith(run)(count("redis_errors_total", { server, error: kindOf(error) }))
      }
      redis.onFailed = failed
      redis.on("connect", () => redis.stream.on("data", (chunk: Buffer) => redis.hear(chunk)))
      let reported = false
      let times = 0
      redis.on("ready", () => {
        reported = false
        redis.trouble = undefined
        for (const trouble of said.keys()) if (trouble.startsWith(`${server}: `)) said.delete(trouble)
        if (times++ > 0) Effect.runSyncWith(run)(count("redis_reconnections_total", { server }))
      })
      // One log line per outage. Without a listener ioredis prints a stack at each attempt.
      redis.on("error", (error: Error) => {
        if (error === GIVEN_UP) return
        redis.trouble = inWords(error, { greeting: redis.status === "connect", tls })
        failed(error)
        if (reported) return
        reported = true
        const trouble = `${server}: ${redis.trouble.message}`
        if (isNews(trouble)) Effect.runForkWith(run)(Effect.logWarning(`Redis at ${trouble} (${where.setting})`))
      })
      // The first answer, good or bad: from then on a command fails at once while there is no connection.
      yield* Effect.callback<void>((resume) => {
        redis.once("ready", () => resume(Effect.void))
        redis.once("error", () => resume(Effect.void))
      }).pipe(Effect.timeoutOption("1 second"))
      return redis
    }),
    (redis) => Effect.sync(() => redis.disconnect())
  )
})
