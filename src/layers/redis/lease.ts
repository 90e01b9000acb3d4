import { Clock, Effect, Option, Schema } from "effect"
import { Lease, WorkerInfo } from "../../services/Lease.ts"
import * as kombu from "../../wire/kombu.ts"
import { beat } from "./scripts/beat.ts"
import { release } from "./scripts/release.ts"
import { resign } from "./scripts/resign.ts"
import { bind } from "./scripts/script.ts"
import { attempt, crashOf, generationOf, type Shared } from "./shared.ts"

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM" // another user's
  }
}
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(WorkerInfo))

/** How long a worker is shown after its lease ran out (seconds). */
const REMEMBERED = 3600
/** Every third look also asks for messages that a stock worker left behind. */
const STOCK_EVERY = 3

/** Every twelfth heartbeat removes workers that need not be shown any longer. */
const TIDY = 12

/** This worker's lease, and the pass that puts back messages of workers whose lease is over. */
export const lease = (shared: Shared) => {
  const { failed, home, keyPrefix, me, mine, redis, visibility } = shared
  const run = { beat: bind(redis, beat), release: bind(redis, release), resign: bind(redis, resign) }
  /**
   * A heartbeat of this life has been accepted. If another worker has our name after that, it took the name while we were frozen.
   */
  let lives = false
  let beats = 0
  let looks = 0
  /** Messages that are held, as of the last beat, but not by us as far as we know. */
  let others = 0
  /** The server's time at the last beat, and how far our clock is ahead of it (milliseconds). */
  let then = 0
  let ahead = 0

  const beatOnce = async (info: WorkerInfo) => {
    const remembered = beats++ % TIDY === 0 ? REMEMBERED : undefined
    const {
      namesake,
      now,
      others: count
    } = await run.beat({
      boot: me.boot,
      lease: kombu.LEASE,
      worker: me.name,
      info: JSON.stringify(info),
      late: kombu.LATE,
      remembered,
      each: kombu.lists(shared.queues).map(({ key }) => ({ list: key, marks: kombu.arrivals(key) })),
      rest: [...mine]
    })
    then = now
    others = count
    return namesake
  }
  const end = (boot: string) => run.resign({ boot, worker: me.name })

  /**
   * Whether the life that last had our name is over: it ran on this machine and host under a process id that is now ours or
   * unused. Two servers that are set up alike have the same host name and, in containers, the same process ids.
   */
  const outlived = (other: WorkerInfo) =>
    other.machine === me.machine && other.host === me.host && (other.pid === me.pid || !isAlive(other.pid))

  /** `false` when another worker lives under our name. */
  const renew = async (info: WorkerInfo) => {
    const reply = await beatOnce(info)
    if (reply === "") return (lives = true)
    const other = decode(reply)
    if (lives || Option.isNone(other) || !outlived(other.value)) return false
    await end(other.value.boot)
    return (lives = (await beatOnce(info)) === "")
  }

  return Lease.of({
    beat: Effect.fnUntraced(function* (info) {
      const ours = yield* attempt("beat", () => renew(info))
      ahead = (yield* Clock.currentTimeMillis) - then
      return ours
    }),
    resign: attempt("resign", () => end(me.boot)),
    look: Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const before = (now - ahead) / 1000 - visibility
      const [due, left] = yield* attempt("look", () =>
        Promise.all([
          redis.zrange(kombu.scheduled, "0", "0", "WITHSCORES"),
          // No worker of ours holds what a stock worker left. It has waited for the visibility timeout, so a few seconds more do
          // not matter.
          looks++ % STOCK_EVERY === 0 ? redis.zrangebyscore(kombu.unackedIndex, "-inf", before, "LIMIT", 0, 1) : []
        ])
      )
      return {
        nextDue: due[1] === undefined ? Option.none() : Option.some(Number(due[1]) * 1000 + ahead),
        suspicious: others > 0 || failed.size > 0 || left.length > 0
      }
    }),
    release: Effect.gen(function* () {
      const asked = [...failed.keys()]
      const saying = [...failed].flatMap(([tag, options]) => [tag, crashOf(options), generationOf(options) ?? ""])
      const { nextIn, ...released } = yield* attempt("release", () =>
        run.release({
          prefix: keyPrefix,
          fallback: home(),
          boot: me.boot,
          visibility,
          lease: kombu.LEASE,
          late: kombu.LATE,
          steadyFor: kombu.STEADY,
          known: mine.size,
          rest: [...mine, ...saying]
        })
      )
      if (!released.more) for (const tag of asked) failed.delete(tag)
      const now = yield* Clock.currentTimeMillis
      return { ...released, nextDue: Option.map(nextIn, (millis) => now + millis) }
    })
  })
}
