/** One worker, stock or ours, on a Redis server of its own, and all that can be seen of it from outside. */
import { Effect } from "effect"
import { Redis } from "ioredis"
import { spawn } from "node:child_process"
import * as PythonJson from "../../src/wire/PythonJson.ts"
import { ownRedis } from "../servers/index.ts"
import { eventually } from "../support.ts"

export const QUEUE = "generator_queue"

export interface Case {
  readonly kind: string
  /** `body`: the text of a packed one. */
  readonly pushed: ReadonlyArray<{ readonly list: string; readonly raw: string; readonly body: string | null }>
  readonly keys: ReadonlyArray<{ readonly key: string; readonly value: string }>
}

export type Fields = Readonly<Record<string, unknown>>
export interface Key {
  readonly name: string
  readonly type: string
  /** Seconds; -1 for ever. */
  readonly ttl: number
  readonly content: unknown
}
export interface Seen {
  readonly events: ReadonlyArray<Fields>
  readonly published: ReadonlyArray<{ readonly id: string; readonly document: Fields }>
  readonly broker: ReadonlyArray<Key>
  readonly backend: ReadonlyArray<Key>
}

/** A process that is killed with the scope, its children with it. */
export const start = Effect.fnUntraced(function* (
  command: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
) {
  const said = { text: "", out: "", code: undefined as number | null | undefined }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(command, args, {
        cwd: import.meta.dirname,
        env: { PATH: process.env["PATH"], PYTHONDONTWRITEBYTECODE: "1", PYTHONWARNINGS: "ignore", C_FORCE_ROOT: "1", ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true
      })
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        said.text += text
        said.out += text
      })
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said.text += text))
      child.once("close", (code) => (said.code = code))
      return child
    }),
    (child) =>
      Effect.sync(() => {
        try {
          process.kill(-child.pid!, "SIGKILL")
        } catch {
          // ended by itself
        }
      })
  )
  return said
})

/** What a Python client sends, made anew each time because it holds times that are soon. */
export const generate = Effect.fnUntraced(function* (python: string, seed: number, count: number) {
  const scratch = yield* ownRedis
  const env = {
    BROKER: scratch.url(0),
    BACKEND: scratch.url(0),
    ORACLE_SEED: String(seed),
    ORACLE_COUNT: String(count),
    ORACLE_KIND: process.env["ORACLE_KIND"] ?? ""
  }
  const said = yield* start(python, ["generate.py"], env)
  yield* eventually(
    "the messages are made",
    Effect.sync(() => said.code),
    (code) => code !== undefined
  )
  if (said.code !== 0) return yield* Effect.die(new Error(`generate.py ended with ${said.code}: ${said.text}`))
  return JSON.parse(said.out) as ReadonlyArray<Case> // what generate.py prints
}, Effect.scoped)

const parse = (text: string): Fields => PythonJson.parse(text) as Fields // by kombu and Celery, always an object
const bodyOf = (envelope: Fields): unknown => PythonJson.parse(Buffer.from(String(envelope["body"]), "base64").toString())

const snapshot = async (redis: Redis): Promise<ReadonlyArray<Key>> => {
  const keys: Array<Key> = []
  for (const name of (await redis.keys("*")).sort()) {
    const [type, ttl] = [await redis.type(name), await redis.ttl(name)]
    const content =
      type === "string"
        ? await redis.get(name)
        : type === "list"
          ? await redis.lrange(name, "0", "-1")
          : type === "hash"
            ? await redis.hgetall(name)
            : type === "zset"
              ? await redis.zrange(name, "0", "-1")
              : (await redis.smembers(name)).sort()
    keys.push({ name, type, ttl, content })
  }
  return keys
}

const order = (method: string, args: object) =>
  JSON.stringify({
    body: Buffer.from(JSON.stringify({ method, arguments: args, destination: null, pattern: null, matcher: null })).toString(
      "base64"
    ),
    "content-encoding": "utf-8",
    "content-type": "application/json",
    headers: { clock: 1, expires: 0 },
    properties: {
      delivery_mode: 2,
      delivery_info: { exchange: "celery.pidbox", routing_key: "" },
      priority: 0,
      body_encoding: "base64",
      delivery_tag: "order"
    }
  })

/** A worker that is ready. `run` gives it the cases and waits until it has done all that it will do. */
export const makeSide = Effect.fnUntraced(function* (
  launch: (url: (db: number) => string) => {
    readonly command: string
    readonly args: ReadonlyArray<string>
    readonly env: Readonly<Record<string, string>>
  },
  ready: string
) {
  const server = yield* ownRedis
  const [broker, backend, ears] = yield* Effect.acquireRelease(
    Effect.sync(() => [new Redis(server.url(0)), new Redis(server.url(1)), new Redis(server.url(0))] as const),
    (all) => Effect.sync(() => all.forEach((redis) => redis.disconnect()))
  )
  const events: Array<Fields> = []
  const published: Array<{ id: string; document: Fields }> = []
  let heard = 0
  yield* Effect.promise(() => ears.psubscribe("/0.celeryev/task.*", "celery-task-meta-*"))
  ears.on("pmessage", (_pattern: string, channel: string, text: string) => {
    heard = Date.now()
    if (!channel.startsWith("celery-task-meta-")) {
      const body = bodyOf(parse(text))
      const some = (Array.isArray(body) ? body : [body]) as ReadonlyArray<Fields> // celeryev sends one event or a list
      events.push(...some)
      for (const { type, uuid } of some) {
        if (type !== "task-started" || !String(uuid).startsWith("terminate-")) continue
        const terminate = order("revoke", { task_id: uuid, terminate: true, signal: "SIGTERM" })
        setTimeout(() => void broker.publish("/0.celery.pidbox", terminate), 300) // stock tells the event before it stores STARTED
      }
    } else published.push({ id: channel.slice("celery-task-meta-".length), document: parse(text) })
  })
  const { args, command, env } = launch(server.url)
  const said = yield* start(command, args, env)
  yield* eventually(
    `${command} is up`,
    Effect.sync(() => said.text),
    (text) => text.includes(ready)
  )

  const left = async () => {
    const lists = (await broker.keys(`${QUEUE}*`)).filter((name) => !name.endsWith(".dead"))
    let queued = 0
    for (const name of lists) queued += await broker.llen(name)
    return { queued, unacked: await broker.hlen("unacked"), quietFor: Date.now() - heard }
  }

  const run = Effect.fnUntraced(function* (cases: ReadonlyArray<Case>) {
    const ids = cases.flatMap(({ pushed }) => pushed.map(({ raw }) => String((parse(raw)["headers"] as Fields | null)?.["id"])))
    const revoked = ids.filter((id) => id.startsWith("revoked-"))
    yield* Effect.promise(() => broker.publish("/0.celery.pidbox", order("revoke", { task_id: revoked })))
    yield* Effect.sleep("300 millis")
    yield* Effect.promise(async () => {
      for (const { keys, pushed } of cases) {
        for (const { key, value } of keys) await backend.setex(key, 86_400, value)
        for (const { list, raw } of pushed) await broker.lpush(list, raw)
      }
    })
    heard = Date.now()
    const staying = cases.filter(
      ({ kind, pushed }) => kind === "tomorrow" || pushed.some(({ raw }) => raw.includes('"task": "oracle.later"'))
    ).length
    for (let waited = 0; waited < 45_000; waited += 100) {
      const now = yield* Effect.promise(left)
      if (now.queued === 0 && now.unacked <= staying && now.quietFor > 1500) break
      if (said.code !== undefined) return yield* Effect.die(new Error(`the worker ended: ${said.text.slice(-3000)}`))
      yield* Effect.sleep("100 millis")
    }
    const seen: Seen = {
      events,
      published,
      broker: yield* Effect.promise(() => snapshot(broker)),
      backend: yield* Effect.promise(() => snapshot(backend))
    }
    return { seen, log: said.text }
  })
  return { run }
})
