import { Clock, Context, Effect, Exit, Latch, Layer, Option } from "effect"
import * as Settings from "../services/Settings.ts"
import {
  type Buried,
  type Claimed,
  type Delivery,
  type Outgoing,
  type QueueError,
  TaskQueue,
  type WorkerInfo
} from "../services/TaskQueue.ts"
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

/** How a command reaches the broker and its answer comes back: at once and always, unless a test puts a worse one here. */
export const MemoryWire = Context.Reference<{
  readonly send: <A>(command: string, run: Effect.Effect<A>) => Effect.Effect<A, QueueError>
}>("model-generator/layers/MemoryWire", { defaultValue: () => ({ send: (_, run) => run }) })

const make = Effect.gen(function* () {
  const { WORKER_QUEUES } = yield* Settings.of("WORKER_QUEUES")
  let queues: ReadonlyArray<string> = WORKER_QUEUES
  const me = yield* WorkerIdentity
  const broker = yield* MemoryBroker
  const wire = yield* MemoryWire
  /** The tags of what we hold, and of claims on their way: any other under our name came of a claim whose answer was lost. */
  const mine = new Set<string>()
  let claims = 0

  /** One step at the broker. */
  const command = <A>(name: string, run: (now: number) => A) => wire.send(name, Effect.map(Clock.currentTimeMillis, run))
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
  const letGo = (name: string, delivery: Delivery, then: (entry: Unacknowledged, now: number) => void) =>
    command(name, (now) => {
      const entry = broker.unacknowledged.get(delivery.tag)
      if (entry?.boot !== me.boot) return
      broker.unacknowledged.delete(delivery.tag)
      then(entry, now)
    }).pipe(Effect.tap(() => Effect.sync(() => mine.delete(delivery.tag))))
  const restore = (entry: Unacknowledged, crashed: boolean) => {
    const { priority, raw } = kombu.restored(entry.raw, crashed)
    push(entry.queue, priority, raw, "next")
  }
  const schedule = ({ queue, raw, tag }: Delivery, due: number) =>
    broker.unacknowledged.set(tag, { tag, queue, raw, boot: undefined, due })

  /** Why an entry should go back to its queue now, if it should. */
  const releasable = ({ boot, due, tag }: Unacknowledged, now: number) => {
    if (due !== undefined) return due <= now ? "due" : undefined
    if (boot === me.boot) return mine.has(tag) ? undefined : "astray"
    return (broker.leases.get(boot ?? "") ?? 0) < now ? "lost" : undefined
  }

  const oldest = (queue: string, now: number) => {
    const seen = kombu
      .lists([queue])
      .flatMap(({ key }) => (listAt(key).length > 0 ? (broker.arrivals.get(key)?.at(-1)?.at ?? []) : []))
    return seen.length === 0 ? Option.none() : Option.some((now - Math.min(...seen)) / 1000)
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
          const delivery = { tag, queue, raw }
          broker.unacknowledged.set(tag, { ...delivery, boot: me.boot, due: undefined })
          return Option.some({ ...delivery, seenSince: came(key, raw) ?? now })
        }
        return Option.none<Claimed>()
      }).pipe(Effect.onExit((exit) => Effect.sync(() => (Exit.isFailure(exit) || Option.isNone(exit.value)) && mine.delete(tag))))
    }),
    acknowledge: (delivery) => letGo("acknowledge", delivery, () => {}),
    handBack: (delivery, { crashed }) => letGo("handBack", delivery, (entry) => restore(entry, crashed)),
    hold: (delivery, at) => letGo("hold", delivery, (entry) => schedule(entry, at)),
    retry: (delivery, next, at) => letGo("retry", delivery, () => schedule(next, at)),
    bury: (delivery, letter) =>
      letGo("bury", delivery, (_, now) =>
        listAt(kombu.dead(delivery.queue)).unshift(kombu.deadLetter(delivery.raw, letter, me.name, now))
      ),
    publish: (messages) => command("publish", () => publish(messages)),
    publishOnce: (key, note, messages) =>
      command("publishOnce", () => {
        const kept = broker.sent.get(key)
        if (kept !== undefined) return kept
        broker.sent.set(key, note)
        publish(messages)
        return note
      }),
    beat: (info) =>
      command("beat", (now) => {
        const other = broker.workers.get(info.name)
        if (other !== undefined && other.boot !== me.boot && (broker.leases.get(other.boot) ?? 0) > now) return false
        broker.leases.set(me.boot, now + kombu.LEASE * 1000)
        broker.workers.set(info.name, info)
        for (const { key } of kombu.lists(queues)) mark(key, now)
        return true
      }),
    resign: command("resign", () => {
      broker.leases.delete(me.boot)
      if (broker.workers.get(me.name)?.boot === me.boot) broker.workers.delete(me.name)
    }),
    release: Effect.gen(function* () {
      const found = yield* command("release", (now) => {
        const entries = [...broker.unacknowledged.values()]
        const later = entries.flatMap(({ due }) => (due !== undefined && due > now ? [due] : []))
        return {
          out: entries.flatMap((entry) => {
            const why = releasable(entry, now)
            return why === undefined ? [] : [{ entry, why }]
          }),
          nextDue: later.length === 0 ? Option.none<number>() : Option.some(Math.min(...later))
        }
      })
      const released = { due: 0, lost: 0 }
      for (const { entry, why } of found.out) {
        const done = yield* command("restore", () => {
          // Another worker may have been faster.
          if (broker.unacknowledged.get(entry.tag) !== entry) return false
          broker.unacknowledged.delete(entry.tag)
          if (why === "due") push(entry.queue, kombu.priorityOf(entry.raw), entry.raw, "next")
          else restore(entry, why === "lost")
          return true
        })
        if (done) released[why === "due" ? "due" : "lost"]++
      }
      return { ...released, nextDue: found.nextDue }
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
    buried: command("buried", () =>
      queues.flatMap((queue) => listAt(kombu.dead(queue)).map((text) => ({ id: kombu.letterId(text), queue, text })))
    ),
    redrive: (letter) =>
      command("redrive", () => {
        if (!exhume(letter)) return false
        const { priority, raw } = kombu.redriven(letter.text)
        push(letter.queue, priority, raw, "last")
        return true
      }),
    drop: (letter) => command("drop", () => exhume(letter)),
    status: command("status", (now) => {
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
    ping: command("ping", () => {})
  })
})

export const layer = Layer.effect(TaskQueue, make)
