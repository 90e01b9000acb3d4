import { Clock, Context, Effect, Latch, Layer, Option } from "effect"
import * as Settings from "../services/Settings.ts"
import { type Buried, type Delivery, type Outgoing, TaskQueue, type WorkerInfo } from "../services/TaskQueue.ts"
import { WorkerIdentity } from "../services/WorkerIdentity.ts"
import * as kombu from "./redis/kombu.ts"

interface Unacknowledged extends Delivery {
  readonly boot: string | undefined
  readonly due: number | undefined
}

/** What Redis is to the workers of a fleet, in this process: it outlives them, and they share it. */
export class MemoryBroker extends Context.Service<
  MemoryBroker,
  {
    readonly lists: Map<string, Array<string>>
    readonly unacknowledged: Map<string, Unacknowledged>
    readonly leases: Map<string, number>
    readonly workers: Map<string, WorkerInfo>
    readonly sent: Map<string, string>
    /** Per list, when a message that was its newest at a beat was seen: the oldest last. */
    readonly arrivals: Map<string, Array<{ readonly raw: string; readonly at: number }>>
    readonly pushed: Latch.Latch
  }
>()("model-generator/layers/MemoryBroker") {
  static readonly layer = Layer.sync(MemoryBroker, () => ({
    lists: new Map(),
    unacknowledged: new Map(),
    leases: new Map(),
    workers: new Map(),
    sent: new Map(),
    arrivals: new Map(),
    pushed: Latch.makeUnsafe(false)
  }))
}

const make = Effect.gen(function* () {
  const { WORKER_QUEUES } = yield* Settings.of("WORKER_QUEUES")
  let queues: ReadonlyArray<string> = WORKER_QUEUES
  const me = yield* WorkerIdentity
  const broker = yield* MemoryBroker
  let spare = 0

  const listAt = (key: string) => {
    const list = broker.lists.get(key) ?? []
    broker.lists.set(key, list)
    return list
  }
  const push = (queue: string, priority: number, raw: string, end: "next" | "last") => {
    const list = listAt(kombu.list(queue, priority))
    if (end === "next") list.push(raw)
    else list.unshift(raw)
    broker.pushed.openUnsafe()
  }
  const publish = (messages: ReadonlyArray<Outgoing>) => {
    for (const message of messages) push(message.queue, message.priority, message.raw, "last")
  }
  const mark = (key: string, at: number) => {
    const marks = broker.arrivals.get(key) ?? []
    const raw = listAt(key)[0]
    if (raw === undefined) broker.arrivals.delete(key)
    else if (marks[0]?.raw !== raw) broker.arrivals.set(key, [{ raw, at }, ...marks])
  }
  const came = (key: string, raw: string) => {
    const marks = broker.arrivals.get(key) ?? []
    const mine = marks.findLastIndex((one) => one.raw === raw)
    const seen = marks[mine] ?? marks.at(-1)
    if (mine >= 0) broker.arrivals.set(key, marks.slice(0, mine))
    return seen?.at
  }
  const exhume = ({ queue, text }: Buried) => {
    const letters = listAt(kombu.dead(queue))
    const at = letters.indexOf(text)
    if (at >= 0) letters.splice(at, 1)
    return at >= 0
  }
  /** Ends our hold, if it is ours still. */
  const letGo = (delivery: Delivery, then: (entry: Unacknowledged) => void) =>
    Effect.sync(() => {
      const entry = broker.unacknowledged.get(delivery.tag)
      if (entry?.boot !== me.boot) return
      broker.unacknowledged.delete(delivery.tag)
      then(entry)
    })
  const restore = (entry: Unacknowledged, crashed: boolean) => {
    const { priority, raw } = kombu.restored(entry.raw, crashed)
    push(entry.queue, priority, raw, "next")
  }

  const oldest = (queue: string, now: number) => {
    const seen = kombu
      .lists([queue])
      .flatMap(({ key }) => (listAt(key).length > 0 ? (broker.arrivals.get(key)?.at(-1)?.at ?? []) : []))
    return seen.length === 0 ? Option.none() : Option.some((now - Math.min(...seen)) / 1000)
  }

  return TaskQueue.of({
    awaitMessage: Effect.suspend(() => {
      if (kombu.lists(queues).some(({ key }) => listAt(key).length > 0)) return Effect.void
      broker.pushed.closeUnsafe()
      return broker.pushed.await
    }),
    claim: Effect.map(Clock.currentTimeMillis, (now) => {
      for (const { key, queue } of kombu.lists(queues)) {
        const raw = listAt(key).pop()
        if (raw === undefined) continue
        const own = kombu.tagOf(raw)
        const tag = own !== undefined && !broker.unacknowledged.has(own) ? own : `spare-${me.boot}-${spare++}`
        const delivery = { tag, queue, raw }
        broker.unacknowledged.set(tag, { ...delivery, boot: me.boot, due: undefined })
        return Option.some({ ...delivery, seenSince: came(key, raw) ?? now })
      }
      return Option.none()
    }),
    acknowledge: (delivery) => letGo(delivery, () => {}),
    handBack: (delivery, { crashed }) => letGo(delivery, (entry) => restore(entry, crashed)),
    hold: (delivery, at) =>
      letGo(delivery, (entry) => broker.unacknowledged.set(entry.tag, { ...entry, boot: undefined, due: at })),
    retry: (delivery, next, at) =>
      letGo(delivery, () =>
        broker.unacknowledged.set(next.tag, { tag: next.tag, queue: next.queue, raw: next.raw, boot: undefined, due: at })
      ),
    bury: (delivery, letter) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        letGo(delivery, () => listAt(kombu.dead(delivery.queue)).unshift(kombu.deadLetter(delivery.raw, letter, me.name, now)))
      ),
    publish: (messages) => Effect.sync(() => publish(messages)),
    publishOnce: (key, note, messages) =>
      Effect.sync(() => {
        const kept = broker.sent.get(key)
        if (kept !== undefined) return kept
        broker.sent.set(key, note)
        publish(messages)
        return note
      }),
    beat: Effect.fnUntraced(function* (info) {
      const now = yield* Clock.currentTimeMillis
      const other = broker.workers.get(info.name)
      if (other !== undefined && other.boot !== me.boot && (broker.leases.get(other.boot) ?? 0) > now) return false
      broker.leases.set(me.boot, now + kombu.LEASE * 1000)
      broker.workers.set(info.name, info)
      for (const { key } of kombu.lists(queues)) mark(key, now)
      return true
    }),
    resign: Effect.sync(() => {
      broker.leases.delete(me.boot)
      if (broker.workers.get(me.name)?.boot === me.boot) broker.workers.delete(me.name)
    }),
    release: Effect.map(Clock.currentTimeMillis, (now) => {
      const released = { due: 0, lost: 0 }
      let nextDue = Number.POSITIVE_INFINITY
      for (const entry of broker.unacknowledged.values()) {
        if (entry.due !== undefined && entry.due > now) nextDue = Math.min(nextDue, entry.due)
        else if (entry.due !== undefined) {
          broker.unacknowledged.delete(entry.tag)
          push(entry.queue, kombu.priorityOf(entry.raw), entry.raw, "next")
          released.due++
        } else if (entry.boot !== me.boot && (broker.leases.get(entry.boot ?? "") ?? 0) < now) {
          broker.unacknowledged.delete(entry.tag)
          restore(entry, true)
          released.lost++
        }
      }
      return { ...released, nextDue: Number.isFinite(nextDue) ? Option.some(nextDue) : Option.none() }
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
      Effect.sync(() =>
        [...broker.unacknowledged.values()]
          .flatMap(({ due, queue, raw, tag }) => (due === undefined ? [] : [{ delivery: { tag, queue, raw }, due }]))
          .toSorted((one, other) => one.due - other.due)
          .slice(0, limit)
      ),
    buried: Effect.sync(() =>
      queues.flatMap((queue) => listAt(kombu.dead(queue)).map((text) => ({ id: kombu.letterId(text), queue, text })))
    ),
    redrive: (letter) =>
      Effect.sync(() => {
        if (!exhume(letter)) return false
        const { priority, raw } = kombu.redriven(letter.text)
        push(letter.queue, priority, raw, "last")
        return true
      }),
    drop: (letter) => Effect.sync(() => exhume(letter)),
    status: Effect.map(Clock.currentTimeMillis, (now) => {
      const held = [...broker.unacknowledged.values()]
      return {
        queues: queues.map((queue) => {
          const [p0, p3, p6, p9] = kombu.steps.map((step) => listAt(kombu.list(queue, step)).length) as [
            number,
            number,
            number,
            number
          ] // one per step
          return {
            queue,
            ready: { "0": p0, "3": p3, "6": p6, "9": p9 },
            dead: listAt(kombu.dead(queue)).length,
            oldestSeconds: oldest(queue, now)
          }
        }),
        clockAheadSeconds: 0,
        unacknowledged: held.length,
        scheduled: held.filter((entry) => entry.due !== undefined).length,
        workers: [...broker.workers.values()].map((info) => {
          const lease = broker.leases.get(info.boot) ?? 0
          return {
            ...info,
            alive: lease > now,
            beatSecondsAgo: Math.max(0, now / 1000 - (lease / 1000 - kombu.LEASE)),
            holds: held.filter((entry) => entry.boot === info.boot).length
          }
        })
      }
    }),
    ping: Effect.void
  })
})

export const layer = Layer.effect(TaskQueue, make)
