import { Clock, Effect, Exit, Layer, Option } from "effect"
import * as Settings from "../services/Settings.ts"
import {
  type Claimed,
  type Delivery,
  type GivenBack,
  MAX_MESSAGE,
  type Outgoing,
  TaskQueue,
  type WorkerInfo
} from "../services/TaskQueue.ts"
import { WorkerIdentity } from "../services/WorkerIdentity.ts"
import { listsOf, MemoryBroker, MemoryWire, type Unacknowledged } from "./memory/Broker.ts"
import { status } from "./memory/status.ts"
import * as kombu from "./redis/kombu.ts"

/** For who gives several workers the one broker, or a bad way to it. */
export { MemoryBroker, MemoryWire }

/** The most that one pass of `release` puts back. */
const PASS = 100
/** How long a worker is shown after its lease ran out (milliseconds). */
const REMEMBERED = 3_600_000

const make = Effect.gen(function* () {
  const { WORKER_QUEUES } = yield* Settings.of("WORKER_QUEUES")
  let queues: ReadonlyArray<string> = WORKER_QUEUES
  const me = yield* WorkerIdentity
  const broker = yield* MemoryBroker
  const wire = yield* MemoryWire
  /** The tags of what we hold, and of claims on their way: any other under our name came of a claim whose answer was lost. */
  const mine = new Set<string>()
  /** What could not be given back, and what was to be said of it. It is no longer among `mine`, so that a pass gives it back. */
  const failed = new Map<string, GivenBack>()
  let claims = 0
  let lives = false

  /** One step at the broker. */
  const command = <A>(name: string, run: (now: number) => A) => wire.send(name, Effect.map(Clock.currentTimeMillis, run))
  const { came, exhume, listAt, mark, push } = listsOf(broker)
  const publish = (messages: ReadonlyArray<Outgoing>) => {
    for (const message of messages) push(message.queue, message.priority, message.raw, "last")
  }
  /** Ends our hold, if it is ours still. */
  const letGo = (name: string, delivery: Delivery, then: (entry: Unacknowledged, now: number) => void) =>
    command(name, (now) => {
      const entry = broker.unacknowledged.get(delivery.tag)
      if (entry?.boot !== me.boot) return
      broker.unacknowledged.delete(delivery.tag)
      then(entry, now)
    }).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          mine.delete(delivery.tag)
          failed.delete(delivery.tag)
        })
      )
    )
  /** `false` when it went to the dead letters instead, because a crash cannot be counted in it. */
  const restore = (entry: Unacknowledged, crash: kombu.Crash, generation?: GivenBack["generation"]) => {
    const back = kombu.restored(entry.raw, crash, generation)
    if (back === undefined && crash !== "none") {
      listAt(kombu.dead(entry.queue)).unshift(entry.raw)
      return false
    }
    push(entry.queue, back?.priority ?? 0, back?.raw ?? entry.raw, "next")
    return true
  }
  const schedule = ({ queue, raw, tag }: Delivery, due: number) =>
    broker.unacknowledged.set(tag, { tag, queue, raw, boot: undefined, due })

  /** As on Redis, but for process ids that are nobody's: there are no processes here. */
  const outlived = (other: WorkerInfo) => other.machine === me.machine && other.host === me.host && other.pid === me.pid

  /** Our own beats have come on time for a while, so it is not us or the broker that stood still. */
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

  /** One pass: what the script of the Redis layer does. */
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
      if (why === "due") push(entry.queue, kombu.priorityOf(entry.raw), entry.raw, "next")
      else if (why === "astray") {
        const options = failed.get(entry.tag)
        if (!restore(entry, options?.crashed === true ? "alone" : "none", options?.generation)) released.buried++
      } else if (!restore(entry, broker.company.get(entry.boot ?? "") === 1 ? "alone" : "company")) released.buried++
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

  return TaskQueue.of({
    awaitMessage: wire.send(
      "awaitMessage",
      Effect.suspend(() => {
        if (kombu.lists(queues).some(({ key }) => listAt(key).length > 0)) return Effect.void
        broker.pushed.closeUnsafe()
        return broker.pushed.await
      })
    ),
    claim: Effect.suspend(() => {
      const tag = `${me.boot}-${++claims}`
      mine.add(tag)
      return command("claim", (now) => {
        for (const { key, queue } of kombu.lists(queues)) {
          const raw = listAt(key).pop()
          if (raw === undefined) continue
          const tooLarge = raw.length > MAX_MESSAGE
          const claimed: Claimed = {
            tag,
            queue,
            raw: tooLarge ? JSON.stringify({ ...kombu.outline(raw), body: "" }) : raw,
            seenSince: came(key, raw) ?? now,
            suspect: kombu.isSuspect(raw),
            ...(tooLarge ? { tooLarge: raw.length } : {})
          }
          if (!tooLarge) broker.unacknowledged.set(tag, { tag, queue, raw, boot: me.boot, due: undefined })
          else listAt(kombu.dead(queue)).unshift(raw)
          return Option.some(claimed)
        }
        return Option.none<Claimed>()
      }).pipe(Effect.onExit((exit) => Effect.sync(() => (Exit.isFailure(exit) || Option.isNone(exit.value)) && mine.delete(tag))))
    }),
    acknowledge: (delivery) => letGo("acknowledge", delivery, () => {}),
    handBack: (delivery, options) =>
      letGo("handBack", delivery, (entry) => restore(entry, options.crashed ? "alone" : "none", options.generation)).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) return
            mine.delete(delivery.tag)
            failed.set(delivery.tag, options)
          })
        )
      ),
    hold: (delivery, at) => letGo("hold", delivery, (entry) => schedule(entry, at)),
    hasten: (tags) =>
      command("hasten", (now) => {
        for (const tag of tags) {
          const entry = broker.unacknowledged.get(tag)
          if (entry?.due === undefined || entry.due <= now) continue
          broker.unacknowledged.delete(tag)
          broker.unacknowledged.set(tag, { ...entry, due: now }) // last, so that they come back in this order
        }
      }),
    retry: (delivery, next, at) => letGo("retry", delivery, () => schedule(next, at)),
    bury: (delivery, letter) =>
      letGo("bury", delivery, (_, now) =>
        listAt(kombu.dead(delivery.queue)).unshift(kombu.deadLetter(delivery, letter, me.name, now))
      ),
    publish: (messages) => command("publish", () => publish(messages)),
    publishOnce: ({ digest, key: id }, note, messages) =>
      command("publishOnce", () => {
        const key = `${id}:${digest}`
        const kept = broker.sent.get(key)
        if (kept !== undefined) return kept
        broker.sent.set(key, note)
        publish(messages)
        return note
      }),
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
        for (const { key } of kombu.lists(queues)) mark(key, now)
        return true
      }),
    resign: command("resign", () => {
      broker.leases.delete(me.boot)
      broker.steady.delete(me.boot)
      if (broker.workers.get(me.name)?.boot === me.boot) broker.workers.delete(me.name)
    }),
    release: Effect.gen(function* () {
      const asked = [...failed.keys()]
      const { nextIn, ...released } = yield* command("release", release)
      if (!released.more) for (const tag of asked) failed.delete(tag)
      const now = yield* Clock.currentTimeMillis
      return { ...released, nextDue: Option.map(nextIn, (millis) => now + millis) }
    }),
    queues: Effect.sync(() => queues),
    consume: (queue) =>
      Effect.sync(() => {
        if (!queues.includes(queue)) queues = [...queues, queue]
        broker.pushed.openUnsafe()
      }),
    cancel: (queue) =>
      Effect.sync(() => {
        queues = queues.filter((other) => other !== queue)
        broker.pushed.openUnsafe()
      }),
    scheduled: (limit) =>
      command("scheduled", () =>
        [...broker.unacknowledged.values()]
          .flatMap(({ due, queue, raw, tag }) => (due === undefined ? [] : [{ delivery: { tag, queue, raw }, due }]))
          .toSorted((one, other) => one.due - other.due)
          .slice(0, limit)
      ),
    buried: (limit) =>
      command("buried", () =>
        queues
          .flatMap((queue) =>
            listAt(kombu.dead(queue)).map((text, n, all) => ({
              id: kombu.letterId(text),
              queue,
              text,
              bytes: text.length,
              at: all.length - n
            }))
          )
          .slice(0, limit)
      ),
    letter: ({ text }) => Effect.succeedSome(text),
    redrive: (letter) =>
      command("redrive", () => {
        if (!exhume(letter)) return false
        const { priority, raw } = kombu.cleared(kombu.inside(letter.text)?.toString() ?? letter.text)
        push(letter.queue, priority, raw, "last")
        return true
      }),
    drop: (letter) => command("drop", () => exhume(letter)),
    status: command("status", (now) => status(broker, queues, now)),
    ping: command("ping", () => {})
  })
})

export const layer = Layer.effect(TaskQueue, make)
