import { Clock, Effect, Option } from "effect"
import { Lease, type WorkerInfo } from "../../services/Lease.ts"
import * as kombu from "../../wire/kombu.ts"
import type { Unacknowledged } from "./Broker.ts"
import type { Shared } from "./shared.ts"

/** The most that one pass of `release` puts back. */
const PASS = 100
/** How long a worker is shown after its lease ran out (milliseconds). */
const REMEMBERED = 3_600_000

/** This worker's lease, and the pass that puts back messages of workers whose lease is over. */
export const lease = (shared: Shared) => {
  const { broker, command, failed, mark, me, mine, push, restore } = shared
  let lives = false
  /** A message is held, as of the last beat, but not by us as far as we know. */
  let others = false

  /** As on Redis, but without process ids: there are no processes here. */
  const outlived = (other: WorkerInfo) => other.machine === me.machine && other.host === me.host && other.pid === me.pid

  /** Our own heartbeats have been on time for a while, so neither we nor the broker were frozen. */
  const trusted = (now: number) => {
    const beat = (broker.leases.get(me.boot) ?? 0) - kombu.LEASE * 1000
    return beat >= now - kombu.LATE * 1000 && (broker.steady.get(me.boot) ?? now) <= now - kombu.STEADY * 1000
  }
  /** Why an entry should go back to its queue now, if it should. */
  const releasable = ({ boot, due, tag }: Unacknowledged, now: number) => {
    if (due !== undefined) return due <= now ? "due" : undefined
    if (boot === me.boot) return mine.has(tag) ? undefined : "astray"
    const lease = broker.leases.get(boot ?? "")
    return lease === undefined || (trusted(now) && lease < now) ? "lost" : undefined
  }

  const forgetTheDead = (now: number) => {
    for (const [boot, until] of broker.leases) {
      if (until >= now - REMEMBERED) continue
      broker.leases.delete(boot)
      broker.steady.delete(boot)
    }
    for (const [name, { boot }] of broker.workers) if (!broker.leases.has(boot)) broker.workers.delete(name)
  }

  const tellLost = ({ boot, raw }: Unacknowledged, crash: kombu.Crash, now: number) => {
    const taskId = kombu.taskIdOf(raw)
    const worker = [...broker.workers.values()].find((one) => one.boot === boot)?.name ?? null
    if (taskId !== undefined) broker.lives.tell({ taskId, event: { _tag: "Lost", worker, crash } }, now)
  }

  /** One pass, as the script `release` of the Redis layer makes it. */
  const release = (now: number) => {
    const entries = [...broker.unacknowledged.values()]
    const found = entries.flatMap((entry) => {
      const why = releasable(entry, now)
      return why === undefined ? [] : [{ entry, why }]
    })
    for (const { entry, why } of found) {
      if (why !== "lost" || broker.company.has(entry.boot ?? "")) continue
      broker.company.set(entry.boot ?? "", found.filter(({ entry: { boot } }) => boot === entry.boot).length)
    }
    const released = { due: 0, lost: 0, buried: 0 }
    // As on Redis the lost come first, and the last one pushed is taken first.
    const chosen = [...found.filter(({ why }) => why !== "due"), ...found.filter(({ why }) => why === "due")].slice(0, PASS)
    for (const { entry, why } of chosen.toReversed()) {
      broker.unacknowledged.delete(entry.tag)
      released[why === "due" ? "due" : "lost"]++
      if (why === "due") {
        push(entry.queue, kombu.priorityOf(entry.raw), entry.raw, "next")
        continue
      }
      const options = failed.get(entry.tag)
      const company = broker.company.get(entry.boot ?? "") === 1 ? "alone" : "company"
      const crash = why === "lost" ? company : options?.crashed === true ? "alone" : "none"
      if (!restore(entry, crash, why === "astray" ? options?.generation : undefined)) released.buried++
      tellLost(entry, crash, now)
    }
    const left = [...broker.unacknowledged.values()]
    for (const boot of broker.company.keys()) if (!left.some((entry) => entry.boot === boot)) broker.company.delete(boot)
    const later = left.flatMap(({ due }) => (due === undefined ? [] : [due]))
    return {
      ...released,
      more: found.length > PASS,
      nextIn: later.length === 0 ? Option.none<number>() : Option.some(Math.min(...later) - now)
    }
  }

  return Lease.of({
    beat: (info) =>
      command("beat", (now) => {
        const other = broker.workers.get(info.name)
        if (other !== undefined && other.boot !== me.boot && (broker.leases.get(other.boot) ?? 0) > now) {
          if (lives || !outlived(other)) return false
          broker.leases.delete(other.boot)
        }
        lives = true
        const late = (broker.leases.get(me.boot) ?? 0) - kombu.LEASE * 1000 < now - kombu.LATE * 1000
        if (late || (broker.steady.get(me.boot) ?? Number.POSITIVE_INFINITY) > now) broker.steady.set(me.boot, now)
        broker.leases.set(me.boot, now + kombu.LEASE * 1000)
        broker.workers.set(info.name, info)
        forgetTheDead(now)
        for (const { key } of kombu.lists(shared.queues)) mark(key, now)
        others = [...broker.unacknowledged.values()].some(
          ({ boot, due, tag }) => due === undefined && boot !== undefined && !(boot === me.boot && mine.has(tag))
        )
        return true
      }),
    resign: command("resign", () => {
      broker.leases.delete(me.boot)
      broker.steady.delete(me.boot)
      if (broker.workers.get(me.name)?.boot === me.boot) broker.workers.delete(me.name)
    }),
    look: Effect.gen(function* () {
      const nextIn = yield* command("look", (now) => {
        const later = [...broker.unacknowledged.values()].flatMap(({ due }) => due ?? [])
        return later.length === 0 ? Option.none<number>() : Option.some(Math.min(...later) - now)
      })
      const now = yield* Clock.currentTimeMillis
      return { nextDue: Option.map(nextIn, (millis) => now + millis), suspicious: others || failed.size > 0 }
    }),
    release: Effect.gen(function* () {
      const asked = [...failed.keys()]
      const { nextIn, ...released } = yield* command("release", release)
      if (!released.more) for (const tag of asked) failed.delete(tag)
      const now = yield* Clock.currentTimeMillis
      return { ...released, nextDue: Option.map(nextIn, (millis) => now + millis) }
    })
  })
}
