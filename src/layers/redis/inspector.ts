import { Clock, Effect, Option, Schema } from "effect"
import type { Redis } from "ioredis"
import { WorkerInfo } from "../../services/Lease.ts"
import { type Found, LOOKED_AT, type QueueDepth, QueueInspector, type QueueStatus } from "../../services/QueueInspector.ts"
import * as kombu from "../../wire/kombu.ts"
import { bind } from "./scripts/script.ts"
import { seekUnacked } from "./scripts/seekUnacked.ts"
import { seekWaiting } from "./scripts/seekWaiting.ts"
import { soonest } from "./scripts/soonest.ts"
import { attempt, type Shared } from "./shared.ts"

type Mark = string | null
type Four = [number, Mark, number, Mark, number, Mark, number, Mark]

const decodeInfo = Schema.decodeUnknownOption(Schema.fromJsonString(WorkerInfo))

interface Seen extends Omit<QueueStatus, "clockAheadSeconds"> {
  /** The server's time (Unix seconds). */
  readonly at: number
}

/** How many messages are where, and which workers there are, in one round trip. */
const statusOf = async (redis: Redis, queues: ReadonlyArray<string>): Promise<Seen> => {
  const pipeline = redis
    .pipeline()
    .time()
    .hlen(kombu.unacked)
    .zcard(kombu.scheduled)
    .hgetall(kombu.workers)
    .zrange(kombu.leases, "0", "-1", "WITHSCORES")
    .hvals(kombu.held)
  for (const queue of queues) {
    for (const step of kombu.steps) {
      const list = kombu.list(queue, step)
      pipeline.llen(list).lindex(kombu.arrivals(list), -1)
    }
    pipeline.llen(kombu.dead(queue))
  }
  const replies = (await pipeline.exec()) ?? []
  const failed = replies.find(([error]) => error !== null)
  if (failed !== undefined) throw failed[0]
  // ioredis types a pipeline's replies as unknown; the order above says what each is.
  const [time, unacknowledged, scheduled, workers, leases, held, ...lists] = replies.map(([, reply]) => reply) as [
    [string, string],
    number,
    number,
    Record<string, string>,
    ReadonlyArray<string>,
    ReadonlyArray<string>,
    ...ReadonlyArray<number | string | null>
  ]
  const now = Number(time[0]) + Number(time[1]) / 1e6
  const leaseOf = new Map<string, number>()
  for (let at = 0; at < leases.length; at += 2) leaseOf.set(leases[at]!, Number(leases[at + 1]))

  const depth = (queue: string, at: number): QueueDepth => {
    const [p0, m0, p3, m3, p6, m6, p9, m9, dead] = lists.slice(at * 9, at * 9 + 9) as [...Four, number] // nine per queue, pushed above
    const marks = [m0, m3, m6, m9].flatMap((mark, n) =>
      mark === null || [p0, p3, p6, p9][n] === 0 ? [] : [Number.parseFloat(mark.slice(40))]
    )
    return {
      queue,
      ready: { "0": p0, "3": p3, "6": p6, "9": p9 },
      dead,
      oldestSeconds: marks.length === 0 ? Option.none() : Option.some(Math.max(0, now - Math.min(...marks)))
    }
  }
  return {
    at: now,
    queues: queues.map(depth),
    unacknowledged,
    scheduled,
    workers: Object.values(workers).flatMap((text) =>
      Option.match(decodeInfo(text), {
        onNone: () => [],
        onSome: (info) => {
          const lease = leaseOf.get(info.boot) ?? 0
          return [
            {
              ...info,
              alive: lease > now,
              beatSecondsAgo: Math.max(0, now - (lease - kombu.LEASE)),
              holds: held.filter((boot) => boot === info.boot).length
            }
          ]
        }
      })
    )
  }
}

/** The most bytes of messages that one listing reads, beyond the first message. */
const BYTES = 4 * 1024 * 1024

/** Looks at queues and workers. */
export const inspector = (shared: Shared) => {
  const { home, keyPrefix, redis } = shared
  const parked = bind(redis, soonest)
  const waiting = bind(redis, seekWaiting)
  const unacked = bind(redis, seekUnacked)

  const find = async (prefix: string, limit: number) => {
    const found: Array<Found> = []
    let all = true
    // Any other character may stand in the message in another form.
    const needle = /^[\w.:@-]*$/.test(prefix) ? prefix : ""
    // Where every message is one of those that are looked for, no more are read than are wanted.
    const page = { limit: needle === "" && prefix === "" ? Math.min(500, limit) : 500, bytes: BYTES }
    /** Page after page, until nothing is left, enough is found, or too many have been looked at. */
    const through = async <A>(
      ask: (from: number) => Promise<{ next: number | undefined; found: ReadonlyArray<A> }>,
      of: (one: A) => Found
    ) => {
      for (let from: number | undefined = 0; from !== undefined && found.length < limit;) {
        if (from >= LOOKED_AT) return void (all = false)
        const answer: Awaited<ReturnType<typeof ask>> = await ask(from)
        found.push(...answer.found.map(of))
        from = answer.next
      }
    }
    for (const { key, queue } of kombu.lists(shared.queues))
      await through(
        (from) => waiting({ ...page, list: key, from, needle, prefix }),
        ({ before, outline, taskId }) => ({
          taskId,
          queue,
          outline: kombu.outline(outline) ?? {},
          where: { _tag: "Waiting", before }
        })
      )
    const names = new Map(
      (await redis.hvals(kombu.workers)).flatMap((text) =>
        Option.match(decodeInfo(text), { onNone: () => [], onSome: ({ boot, name }) => [[boot, name] as const] })
      )
    )
    await through(
      (from) => unacked({ ...page, prefix: keyPrefix, fallback: home(), from, needle, wanted: prefix }),
      ({ boot, due, outline, queue, taskId }) => ({
        taskId,
        queue,
        outline: kombu.outline(outline) ?? {},
        where: due === "" ? { _tag: "Held", worker: names.get(boot) ?? null } : { _tag: "Parked", due: Number(due) * 1000 }
      })
    )
    return { found: found.slice(0, limit), all }
  }

  return QueueInspector.of({
    status: Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      const { at, ...rest } = yield* attempt("status", () => statusOf(redis, shared.queues))
      const after = yield* Clock.currentTimeMillis
      return { ...rest, clockAheadSeconds: (before + after) / 2000 - at }
    }),
    find: (prefix, limit) => attempt("find", () => find(prefix, limit)),
    scheduled: (limit) => attempt("scheduled", () => parked({ prefix: keyPrefix, fallback: home(), limit, bytes: BYTES })),
    ping: Effect.asVoid(attempt("ping", () => redis.ping()))
  })
}
