import { Clock, Duration, Effect, Layer, Option, Schema } from "effect"
import { Generation, GONE, Journal, JournalError, ORPHANED, PRESENT, type State, states } from "../services/Journal.ts"
import * as Settings from "../services/Settings.ts"
import { connect, script } from "./redis/connect.ts"
import * as kombu from "./redis/kombu.ts"
import { now } from "./redis/scripts.ts"
import { broker } from "./redis/where.ts"

/** Longer than fal keeps a result or Celery a message, so an entry outlives every use of it (seconds). */
const KEEP = 7 * 86_400

/**
 * KEYS the entry, the requests in flight (scored with the time until which they count), the line for room (with the time of first
 * asking) and when each in it last asked, the index of each state. ARGV what must be written now ('' for nothing), what to write
 * ('' to remove it), seconds to keep it, the task, seconds to count it (0 when it has ended), which index it goes to (0 for none).
 */
const write = `${now}
local function write()
  if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SETEX', KEYS[1], ARGV[3], ARGV[2]) end
  if ARGV[5] == '0' then redis.call('ZREM', KEYS[2], ARGV[4])
  else redis.call('ZADD', KEYS[2], text(now() + tonumber(ARGV[5])), ARGV[4]) end
  for i = 5, #KEYS do redis.call('ZREM', KEYS[i], ARGV[4]) end
  if ARGV[6] ~= '0' then
    local index = KEYS[4 + tonumber(ARGV[6])]
    redis.call('ZADD', index, math.floor(now()) + tonumber(ARGV[3]), ARGV[4])
    redis.call('ZREMRANGEBYSCORE', index, '-inf', math.floor(now()))
  end
end
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 'contended' end`

const advance = `${write}
write()
return 'written'`

/** ARGV also the limit, PRESENT, GONE. */
const intend = `${write}
local t, task, limit = now(), ARGV[4], tonumber(ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', t)
if limit > 0 and not redis.call('ZSCORE', KEYS[2], task) then
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', t - tonumber(ARGV[9]))) do
    redis.call('ZREM', KEYS[3], gone) redis.call('ZREM', KEYS[4], gone)
  end
  redis.call('ZADD', KEYS[3], 'NX', text(t), task)
  redis.call('ZADD', KEYS[4], text(t), task)
  local taken = redis.call('ZCARD', KEYS[2])
  if taken >= limit then return 'full' end -- however long the line is
  for _, other in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    if other == task then break end
    if tonumber(redis.call('ZSCORE', KEYS[4], other)) > t - tonumber(ARGV[8]) then taken = taken + 1 end
  end
  if taken >= limit then return 'full' end
end
redis.call('ZREM', KEYS[3], task) redis.call('ZREM', KEYS[4], task)
write()
return 'written'`

/** KEYS the requests in flight, the index of each state. ARGV the task. */
const close = `for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end`

/** KEYS the requests in flight. How many count now. */
const count = `${now}
return redis.call('ZCOUNT', KEYS[1], '(' .. text(now()), '+inf')`

const indexes = states.map(kombu.journalState)

const wire = Schema.fromJsonString(Generation)
const Answer = Schema.Literals(["written", "contended", "full"])
const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new JournalError({ operation, cause }) })
const encode = (entry: Option.Option<Generation>) =>
  Option.isNone(entry)
    ? Effect.succeed("")
    : Effect.mapError(Schema.encodeEffect(wire)(entry.value), (cause) => new JournalError({ operation: "encode", cause }))

export const layer = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const settings = yield* Settings.of("FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT")
    const redis = yield* connect(yield* broker, "commands")
    const scripts = {
      advance: script(redis, "mgAdvance", advance),
      intend: script(redis, "mgIntend", intend),
      close: script(redis, "mgClose", close),
      count: script(redis, "mgInFlight", count)
    }
    const counts = (entry: Generation) => (entry.timeLimit ?? Duration.toSeconds(settings.TASK_TIME_LIMIT)) + ORPHANED

    const move = Effect.fnUntraced(function* (
      operation: "advance" | "intend",
      taskId: string,
      previous: Option.Option<Generation>,
      next: Option.Option<Generation>
    ) {
      const [from, to] = yield* Effect.all([encode(previous), encode(next)])
      const open = Option.isSome(next) && next.value._tag !== "Generated" ? counts(next.value) : 0
      const index = Option.match(next, { onNone: () => 0, onSome: ({ _tag }) => states.indexOf(_tag) + 1 })
      const keys = [kombu.journal(taskId), kombu.inFlight, kombu.line, kombu.lineAsked, ...indexes]
      const args = [from, to, KEEP, taskId, open, index, settings.FAL_MAX_CONCURRENT, PRESENT, GONE]
      const answer = yield* attempt(operation, () => scripts[operation](keys, args))
      return yield* Effect.mapError(Schema.decodeUnknownEffect(Answer)(answer), (cause) => new JournalError({ operation, cause }))
    })

    return Journal.of({
      find: Effect.fn("Journal.find")(function* (taskId) {
        const text = yield* attempt("find", () => redis.get(kombu.journal(taskId)))
        if (text === null) return Option.none()
        return Option.some(
          yield* Effect.mapError(Schema.decodeEffect(wire)(text), (cause) => new JournalError({ operation: "find", cause }))
        )
      }),
      intend: Effect.fn("Journal.intend")((taskId, previous, intent) => move("intend", taskId, previous, Option.some(intent))),
      advance: Effect.fn("Journal.advance")((taskId, previous, next) =>
        Effect.map(move("advance", taskId, previous, next), (answer) => answer === "written")
      ),
      close: Effect.fn("Journal.close")((taskId) =>
        Effect.asVoid(attempt("close", () => scripts.close([kombu.inFlight, ...indexes], [taskId])))
      ),
      inFlight: Effect.map(
        attempt("inFlight", () => scripts.count([kombu.inFlight], [])),
        Number
      ),
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
