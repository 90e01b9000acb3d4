import { Clock, Effect, Layer, Option, Schema } from "effect"
import { Generation, Journal, JournalError, type State, states } from "../services/Journal.ts"
import * as Settings from "../services/Settings.ts"
import { connect, script } from "./redis/connect.ts"
import * as kombu from "./redis/kombu.ts"

/** Longer than fal keeps a result or Celery a message, so an entry outlives every use of it (seconds). */
const KEEP = 7 * 86_400

/**
 * KEYS the entry, then the index of each state. ARGV what must be written now ('' for nothing), what to write ('' to remove it),
 * seconds to keep it, the task's id, which index it goes to (0 for none).
 */
const advance = `
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SETEX', KEYS[1], ARGV[3], ARGV[2]) end
for i = 2, #KEYS do redis.call('ZREM', KEYS[i], ARGV[4]) end
local index, now = KEYS[tonumber(ARGV[5]) + 1], tonumber(redis.call('TIME')[1])
if ARGV[5] ~= '0' then
  redis.call('ZADD', index, now + tonumber(ARGV[3]), ARGV[4])
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
end
return 1`

const indexes = states.map(kombu.journalState)

const wire = Schema.fromJsonString(Generation)
const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new JournalError({ operation, cause }) })
const encode = (entry: Option.Option<Generation>) =>
  Option.isNone(entry)
    ? Effect.succeed("")
    : Effect.mapError(Schema.encodeEffect(wire)(entry.value), (cause) => new JournalError({ operation: "encode", cause }))

export const layer = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const settings = yield* Settings.of("CELERY_BROKER_URL", "REDIS_PASSWORD", "REDIS_SENTINEL_MASTER")
    const redis = yield* connect(
      { url: settings.CELERY_BROKER_URL, password: settings.REDIS_PASSWORD, master: settings.REDIS_SENTINEL_MASTER },
      "commands"
    )
    const run = script(redis, "mgAdvance", advance)
    return Journal.of({
      find: Effect.fn("Journal.find")(function* (taskId) {
        const text = yield* attempt("find", () => redis.get(kombu.journal(taskId)))
        if (text === null) return Option.none()
        return Option.some(
          yield* Effect.mapError(Schema.decodeEffect(wire)(text), (cause) => new JournalError({ operation: "find", cause }))
        )
      }),
      advance: Effect.fn("Journal.advance")(function* (taskId, previous, next) {
        const [from, to] = yield* Effect.all([encode(previous), encode(next)])
        const index = Option.match(next, { onNone: () => 0, onSome: ({ _tag }) => states.indexOf(_tag) + 1 })
        const moved = attempt("advance", () => run([kombu.journal(taskId), ...indexes], [from, to, KEEP, taskId, index]))
        return (yield* moved) === 1
      }),
      counts: Effect.gen(function* () {
        const now = (yield* Clock.currentTimeMillis) / 1000
        const count = (state: State) => attempt("counts", () => redis.zcount(kombu.journalState(state), now, "+inf"))
        return yield* Effect.all(
          { Intended: count("Intended"), Submitted: count("Submitted"), Generated: count("Generated") },
          { concurrency: "unbounded" }
        )
      })
    })
  })
)
