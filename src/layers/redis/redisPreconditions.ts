import { Duration, Effect, Redacted } from "effect"
import type { Redis } from "ioredis"
import { bad, type Finding, note, ok } from "../../services/Preconditions.ts"
import { Connection } from "./Connection.ts"
import { optionsOf } from "./connectionOptions.ts"
import { missingRights, type Needs } from "./rights.ts"
import { isSameServer, type Where } from "./where.ts"

/** What a server reports of itself; "" where it does not. */
interface Server {
  readonly info: (name: string) => string
  readonly config: (name: string) => string
  readonly told: boolean
  /** This user may wait for a replica. */
  readonly waits: boolean
  /** The server says when a key changes that this user has read. */
  readonly tracks: boolean
}

const allowed = (command: Promise<unknown>) =>
  command.then(
    () => true,
    () => false
  )

const askServer = async (redis: Redis): Promise<Server> => {
  const text = await redis.info().catch(() => "")
  const values = new Map<string, string>()
  for (const line of text.split("\r\n")) {
    const at = line.indexOf(":")
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1))
  }
  const config = new Map<string, string>()
  for (const name of ["save", "appendfsync", "min-replicas-to-write"]) {
    const found = await redis.config("GET", name).catch(() => [])
    const [, value] = Array.isArray(found) ? found : Object.entries(found as object).flat() // by its protocol
    if (typeof value === "string") config.set(name, value)
  }
  return {
    waits: await allowed(redis.wait(0, 1)),
    tracks: await allowed(redis.client("TRACKING", "ON")),
    info: (name) => values.get(name) ?? "",
    config: (name) => config.get(name) ?? "",
    told: text !== ""
  }
}

const memory = (what: string, { info }: Server): Finding => {
  const policy = info("maxmemory_policy")
  const limit = Number(info("maxmemory"))
  if (policy === "noeviction") return ok(`${what} memory`, "noeviction")
  return note(
    `${what} memory`,
    `maxmemory-policy is ${policy}${limit === 0 ? ", though without a maxmemory nothing is thrown away" : `: over ${Math.round(limit / 2 ** 20)} MB Redis throws away messages and what is known of paid requests`}`,
    "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf"
  )
}

const persistence = (what: string, { config, info }: Server): Finding => {
  const name = `${what} on disk`
  if (info("aof_enabled") === "1")
    return config("appendfsync") === "no"
      ? note(name, "append only file, appendfsync no: a power cut loses the last half minute", "CONFIG SET appendfsync everysec")
      : ok(name, `append only file${config("appendfsync") === "" ? "" : `, appendfsync ${config("appendfsync")}`}`)
  const advice = "redis-cli CONFIG SET appendonly yes, and the same in redis.conf"
  return note(
    name,
    config("save") === ""
      ? "no append only file: a restart loses what came since the last snapshot, or everything where there are none"
      : `snapshots alone (save ${config("save")}): a restart loses messages and what is known of paid requests since the last one`,
    advice
  )
}

const replicas = (what: string, { config, info, waits }: Server): Finding => {
  const name = `${what} replicas`
  const count = Number(info("connected_slaves") || "0")
  if (info("role") === "slave") return bad(name, "this is a replica, which takes no writes", "name the master, or its sentinels")
  const wanted = Number(config("min-replicas-to-write") || "0")
  if (wanted > count)
    return bad(name, `min-replicas-to-write is ${wanted} and ${count} are there: no write is taken`, "start the replicas")
  if (count > 0 && !waits)
    return note(name, `${count}, and this user may not WAIT for them: a failover may forget a purchase`, "ACL SETUSER … +wait")
  return ok(name, count === 0 ? "none" : `${count}; the request id of a purchase waits for one of them`)
}

const wakes = ({ tracks }: Server): Finding =>
  tracks
    ? ok("broker wake-up", "Redis says when a message comes")
    : note(
        "broker wake-up",
        "this user may not CLIENT TRACKING: a worker at rest asks for messages ten times a second",
        "ACL SETUSER … +client|tracking"
      )

/** Whether one step stores a result and acknowledges, or two do. */
const step = async (redis: Redis, queue: Where, results: Where): Promise<Finding> => {
  const name = "results step"
  if (!isSameServer(queue, results))
    return ok(
      name,
      "stored before a task is acknowledged: results lie on another server, or under another name or user of this one"
    )
  const selected = await redis.eval("redis.call('SELECT', ARGV[1]) return 1", 0, Redacted.value(results.address).db).then(
    () => true,
    () => false
  )
  return selected
    ? ok(name, "stored in the step that acknowledges")
    : note(
        name,
        "a script may not SELECT here: a task takes one round trip more",
        "keep queue and results in one database, or allow SELECT in scripts"
      )
}

/**
 * Facts about this Redis, over a connection of its own that is never reconnected. `seen`: servers that were checked before;
 * `results`: where the results of a broker go.
 */
export const redisFindings = (where: Where, needs: Needs, seen: Set<string>, results?: Where) => {
  const what = where.setting === "CELERY_BROKER_URL" ? "broker" : "results"
  const user = Redacted.value(where.address).username ?? "default"
  return Effect.acquireUseRelease(
    Effect.sync(() => {
      const redis = new Connection({
        ...optionsOf(where),
        keyPrefix: where.keyPrefix,
        retryStrategy: () => null,
        connectTimeout: 2000,
        commandTimeout: 2000,
        maxRetriesPerRequest: 0,
        replyMapping: "legacy",
        disableClientInfo: true
      })
      return redis.on("error", () => {}) // who asks Redis for work hears of it too
    }),
    (redis) =>
      Effect.tryPromise(async () => {
        await redis.ping()
        const settles = results === undefined ? [] : [await step(redis, where, results)]
        const server = await askServer(redis)
        const missing = await missingRights(redis, needs)
        const run = server.info("run_id")
        const again = run !== "" && seen.has(run)
        seen.add(run)
        const rights =
          missing.length === 0
            ? ok(`${what} rights`, `user ${user} has all that is needed`)
            : bad(
                `${what} rights`,
                `user ${user} lacks ${missing.join(", and ")}`,
                `ACL SETUSER ${user} ~* &* with the commands it lacks (+command, or +@all -@admin +info)`
              )
        const verified = Redacted.value(where.address).tls?.verify
        return [
          ...(again
            ? []
            : server.told
              ? [memory(what, server), persistence(what, server), replicas(what, server)]
              : [
                  ok(
                    `${what} server`,
                    "does not tell this user how it is set up: see to noeviction and an append only file yourself"
                  )
                ]),
          rights,
          ...(what === "broker" ? [wakes(server)] : []),
          ...settles,
          ...(verified === undefined
            ? []
            : [
                verified
                  ? ok(`${what} TLS`, "the certificate is checked")
                  : note(`${what} TLS`, "no certificate is checked", `leave ssl_cert_reqs out of ${where.setting}`)
              ])
        ]
      }),
    (redis) => Effect.sync(() => redis.disconnect())
  ).pipe(Effect.timeout(Duration.seconds(4)))
}
