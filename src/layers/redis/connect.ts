import { Effect, Option, Redacted } from "effect"
import { Redis, type RedisOptions } from "ioredis"
import { readFileSync } from "node:fs"
import { counting } from "../counting.ts"
import type { Where } from "./where.ts"

/** A Redis URL as Celery writes it: redis://, rediss:// with ssl_* parameters, or sentinel://host:port/db;sentinel://… */
const options = (url: string, password: Option.Option<Redacted.Redacted>, master: string): RedisOptions => {
  const nodes = url.split(";").map((part) => new URL(part))
  const first = nodes[0]!
  const sentinel = first.protocol === "sentinel:"
  const secret =
    first.password === "" ? Option.getOrUndefined(Option.map(password, Redacted.value)) : decodeURIComponent(first.password)
  const db = Number(first.pathname.slice(1) || "0")
  const read = (name: string) => {
    const path = first.searchParams.get(name)
    return path === null ? undefined : readFileSync(path)
  }
  const verify = !/none|optional/i.test(first.searchParams.get("ssl_cert_reqs") ?? "required")
  return {
    ...(sentinel
      ? {
          name: master,
          sentinels: nodes.map((node) => ({ host: node.hostname, port: Number(node.port || "26379") })),
          sentinelCommandTimeout: 2000 // of a sentinel that is frozen the next one is asked
        }
      : { host: first.hostname, port: Number(first.port || "6379") }),
    ...(first.username === "" ? {} : { username: decodeURIComponent(first.username) }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(first.protocol === "rediss:"
      ? { tls: { rejectUnauthorized: verify, ca: read("ssl_ca_certs"), cert: read("ssl_certfile"), key: read("ssl_keyfile") } }
      : {}),
    db
  }
}

/** What went wrong, in one of few words: the server's own (NOAUTH, OOM, MISCONF), Node's (ECONNREFUSED), or ours for what the driver says. */
const kindOf = (error: Error): string =>
  ("code" in error && typeof error.code === "string" ? error.code : undefined) ??
  /^[A-Z]{2,}\b/.exec(error.message)?.[0] ??
  (/timed? ?out/i.test(error.message) ? "no answer" : /closed|max retries/i.test(error.message) ? "connection lost" : "other")

const none = new Error("there is no connection")
const cut = new Error("the connection was closed before the answer came")
/** Each command gets an error of its own: the driver writes into one that ends a transaction. */
const anew = (error: Error) => Object.assign(new Error(error.message), "code" in error ? { code: error.code } : {})

/** Fails a command with what is wrong with the connection, where the driver would only say that there is none. */
class Connection extends Redis {
  trouble: Error | undefined
  /** Hears of every command that failed at the server or on its way. */
  onFailed: (error: Error) => void = () => {}
  override sendCommand(...[command, stream]: Parameters<Redis["sendCommand"]>): unknown {
    // While a connection is being made the driver's own greeting must pass.
    const away = this.status !== "ready" && !/^(hello|auth|select|client|info|readonly)$/i.test(command.name)
    if (!away || this.options.enableOfflineQueue !== false) {
      const { reject } = command
      command.reject = (error) => reject(error.name === "MaxRetriesPerRequestError" ? anew(this.trouble ?? cut) : error)
      command.promise.catch((error: Error) => this.onFailed(error))
      return super.sendCommand(command, stream)
    }
    command.reject(anew(this.trouble ?? none))
    return command.promise
  }
}

/**
 * A connection that reconnects by itself for as long as its scope lives. A command waits at most 5 s for its answer, so a
 * frozen server is noticed; `blocking` connections wait for their own time-out instead. One that hears nothing for `silence`
 * after a command (milliseconds) is made anew: its other end may be gone, or no longer be the master.
 */
export const connect = Effect.fnUntraced(function* (
  where: Where,
  kind: "commands" | "blocking",
  silence = kind === "commands" ? 5000 : 7000
) {
  return yield* Effect.acquireRelease(
    Effect.gen(function* () {
      const run = yield* Effect.context<never>()
      const count = yield* counting
      const redis = new Connection({
        ...options(Redacted.value(where.url), where.password, where.master),
        keyPrefix: where.keyPrefix,
        retryStrategy: (attempt) => Math.min(attempt * 100, 1000),
        connectTimeout: 5000,
        socketTimeout: silence,
        // A master that became a replica keeps its connections; where the name leads now is found by connecting again.
        reconnectOnError: (error) => error.message.startsWith("READONLY"),
        keepAlive: 30_000,
        replyMapping: "legacy",
        // A command that waits for the connection to come back, or is sent again when it does, may be carried out when nobody
        // wants it any more: a claim, for one, would take a message that nobody knows of. Its caller repeats what it needs.
        ...(kind === "commands"
          ? {
              commandTimeout: 5000,
              enableOfflineQueue: false,
              autoResendUnfulfilledCommands: false,
              maxRetriesPerRequest: 0 // else what was under way when the connection ended would hear of it by its time-out
            }
          : { blockingTimeout: 7000, maxRetriesPerRequest: null })
      })
      const { db, host, name, port } = redis.options
      const server = `${name ?? `${host}:${port}`}/${db}`
      const failed = (error: Error) => {
        const kind = kindOf(error)
        // Said of a script that the server has not met yet: the driver sends its text then.
        if (kind !== "NOSCRIPT") Effect.runSyncWith(run)(count("redis_errors_total", { server, error: kind }))
      }
      redis.onFailed = failed
      let reported = false
      let times = 0
      redis.on("ready", () => {
        reported = false
        redis.trouble = undefined
        if (times++ > 0) Effect.runSyncWith(run)(count("redis_reconnections_total", { server }))
      })
      // One line per outage: without a listener ioredis prints a stack at each attempt.
      redis.on("error", (error: Error) => {
        redis.trouble = error
        failed(error)
        if (reported) return
        reported = true
        Effect.runForkWith(run)(Effect.logWarning(`Redis connection: ${error.message}`))
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

type Script = (keys: ReadonlyArray<string>, args: ReadonlyArray<string | number>) => Promise<unknown>

/** A Lua script as a function; ioredis sends its digest and falls back to the text where the server does not know it. */
export const script = (redis: Redis, name: string, lua: string): Script => {
  redis.defineCommand(name, { lua })
  // `defineCommand` adds a method its types cannot know.
  const run = Reflect.get(redis, name) as (count: number, ...rest: ReadonlyArray<string | number>) => Promise<unknown>
  return (keys, args) => run.call(redis, keys.length, ...keys, ...args)
}
