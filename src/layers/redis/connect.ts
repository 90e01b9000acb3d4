import { Effect, Option, Redacted, Schedule } from "effect"
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

/**
 * A server that owes an answer and says nothing for so long is taken for gone (milliseconds). Longer, and a worker whose server
 * has moved stands still for that long; shorter, and one that only stalls (a fork, a slow fsync) is left too soon. Leaving it
 * costs little: its greeting is answered when it goes on, and what was under way is asked again. One that takes longer for every
 * answer cannot be worked with, and health says so.
 */
const SILENCE = 2000
/** How long a wait at the server lasts before it is asked again (seconds); it is silent all the while. */
export const WAIT = 2
/** How often something is asked where nobody else asks, so that silence is noticed before an answer is needed (milliseconds). */
const PULSE = 1000

const none = new Error("there is no connection")
const cut = new Error("the connection was closed before the answer came")
/** Each command gets an error of its own: the driver writes into one that ends a transaction. */
const anew = (error: Error) => Object.assign(new Error(error.message), "code" in error ? { code: error.code } : {})

/** Fails a command with what is wrong with the connection, where the driver would only say that there is none. */
class Connection extends Redis {
  trouble: Error | undefined
  /** How long an answer may take, once the greeting is over (milliseconds). */
  silence = SILENCE
  /** Hears of every command that failed at the server or on its way. */
  onFailed: (error: Error) => void = () => {}
  override sendCommand(...[command, stream]: Parameters<Redis["sendCommand"]>): unknown {
    this.options.socketTimeout = this.status === "ready" ? this.silence : SILENCE
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
 * A connection that reconnects by itself for as long as its scope lives. One that hears nothing for `silence` after a command
 * (milliseconds) is made anew, also while it greets: its other end may be gone, or no longer be the master. One for commands is
 * asked something each second, so it is never found dead when it is needed; a `blocking` one waits for its own time-out instead.
 */
export const connect = Effect.fnUntraced(function* (
  where: Where,
  kind: "commands" | "blocking",
  silence = kind === "commands" ? SILENCE : WAIT * 1000 + SILENCE
) {
  const redis = yield* Effect.acquireRelease(
    Effect.gen(function* () {
      const run = yield* Effect.context<never>()
      const count = yield* counting
      const redis = new Connection({
        ...options(Redacted.value(where.url), where.password, where.master),
        keyPrefix: where.keyPrefix,
        retryStrategy: (attempt) => Math.min(attempt * 100, 500),
        connectTimeout: SILENCE,
        maxLoadingRetryTime: 500,
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
          : { blockingTimeout: silence, maxRetriesPerRequest: null })
      })
      redis.silence = silence
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
  if (kind === "commands") {
    const ask = Effect.promise(async () => redis.status === "ready" && redis.ping().catch(() => {}))
    yield* Effect.forkScoped(Effect.repeat(ask, Schedule.spaced(PULSE)))
  }
  return redis
})

type Script = (keys: ReadonlyArray<string>, args: ReadonlyArray<string | number>) => Promise<unknown>

/** A Lua script as a function; ioredis sends its digest and falls back to the text where the server does not know it. */
export const script = (redis: Redis, name: string, lua: string): Script => {
  redis.defineCommand(name, { lua })
  // `defineCommand` adds a method its types cannot know.
  const run = Reflect.get(redis, name) as (count: number, ...rest: ReadonlyArray<string | number>) => Promise<unknown>
  return (keys, args) => run.call(redis, keys.length, ...keys, ...args)
}
