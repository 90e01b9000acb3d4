/**
 * The floor under a task: a bare loop of Effect and ioredis, one task at a time. One script stores the last result in the results'
 * database, publishes it, gives up the claim and claims the next message, so a message is acknowledged late and each task is one
 * round trip. No worker: it has no lease, no events, no limits and no supervision, and it checks nothing of what a message asks for.
 */
import { Effect, Schema } from "effect"
import { Redis } from "ioredis"

const urlOf = (name: string) => {
  const url = new URL(process.env[name] ?? "")
  return { host: url.hostname, port: Number(url.port), db: Number(url.pathname.slice(1)) }
}
const broker = urlOf("CELERY_BROKER_URL")
const results = urlOf("CELERY_RESULT_BACKEND")

const redis = new Redis(broker)
const waiting = new Redis(broker)

const step = `
local unacked, unacked_index, queue = KEYS[1], KEYS[2], KEYS[3]
local broker_db, results_db = ARGV[1], ARGV[2]
local ended_tag, result_key, document, ttl, next_tag = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if ended_tag ~= '' then
  redis.call('SELECT', results_db)
  redis.call('SETEX', result_key, ttl, document)
  redis.call('PUBLISH', result_key, document)
  redis.call('SELECT', broker_db)
  redis.call('HDEL', unacked, ended_tag)
  redis.call('ZREM', unacked_index, ended_tag)
end
local message = redis.call('RPOP', queue)
if message then
  local now = redis.call('TIME')
  redis.call('HSET', unacked, next_tag, '[' .. message .. ',"",' .. cjson.encode(queue) .. ']')
  redis.call('ZADD', unacked_index, now[1] .. '.' .. now[2], next_tag)
end
return message`

const QUEUE = "generator_queue"
const RESULT_SECONDS = 86_400

const Envelope = Schema.Struct({
  body: Schema.String,
  headers: Schema.Struct({ id: Schema.NonEmptyString, task: Schema.NonEmptyString })
})
const decodeEnvelope = Schema.decodeUnknownEffect(Envelope)

const healthCheck = Effect.fnUntraced(function* (id: string, _args: unknown, _kwargs: unknown) {
  return { status: "healthy", worker: "floor", id }
})

interface Ended {
  readonly tag: string
  readonly key: string
  readonly document: string
}

const storeAndClaim = (sha: string, ended: Ended, nextTag: string) =>
  redis.evalsha(
    sha,
    3,
    "unacked",
    "unacked_index",
    QUEUE,
    broker.db,
    results.db,
    ended.tag,
    ended.key,
    ended.document,
    RESULT_SECONDS,
    nextTag
  )

const nothing: Ended = { tag: "", key: "", document: "" }

const work = Effect.gen(function* () {
  const sha = String(yield* Effect.promise(() => redis.script("LOAD", step)))
  let ended = nothing
  for (let count = 0; ; count++) {
    const tag = `${process.pid}-${count}`
    const raw = yield* Effect.promise(() => storeAndClaim(sha, ended, tag))
    ended = nothing
    if (typeof raw !== "string") {
      yield* Effect.promise(() => waiting.blmove(QUEUE, QUEUE, "RIGHT", "RIGHT", 0)) // waits without taking
      continue
    }
    const { body, headers } = yield* decodeEnvelope(JSON.parse(raw))
    const [args, kwargs] = JSON.parse(Buffer.from(body, "base64").toString())
    const result = yield* healthCheck(headers.id, args, kwargs)
    const date_done = new Date().toISOString()
    ended = {
      tag,
      key: `celery-task-meta-${headers.id}`,
      document: JSON.stringify({ status: "SUCCESS", result, traceback: null, children: [], date_done, task_id: headers.id })
    }
  }
})

await Effect.runPromise(work)
