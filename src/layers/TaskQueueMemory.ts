import { Clock, Effect, Exit, Layer, Option } from "effect"
import * as Settings from "../services/Settings.ts"
import { type Claimed, type Delivery, type GivenBack, type Outgoing, TaskQueue, type WorkerInfo } from "../services/TaskQueue.ts"
import { WorkerIdentity } from "../services/WorkerIdentity.ts"
import { listsOf, MemoryBroker, MemoryWire, type Unacknowledged } from "./memory/Broker.ts"
import { status } from "./memory/status.ts"
import * as kombu from "./redis/kombu.ts"

/** For who gives several workers the one broker, or a bad way to it. */
export { MemoryBroker, MemoryWire }

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
    }).pipe(Effect.tap(() => Effect.sync(() => mine.delete(delivery.tag))))
  const restore = (entry: Unacknowledged, crashed: boolean, generation?: GivenBack["generation"]) => {
    const { priority, raw } = kombu.restored(entry.raw, crashed, generation)
    push(entry.queue, priority, raw, "next")
  }
  const schedule = ({ queue, raw, tag }: Delivery, due: number) =>
    broker.unacknowledged.set(tag, { tag, queue, raw, boot: undefined, due })

  /** As on Redis, but for process ids that are nobody's: there are no processes here. */
  const outlived = (other: WorkerInfo) => other.host === me.host && other.pid === me.pid

  /** Why an entry should go back to its queue now, if it should. */
  const releasable = ({ boot, due, tag }: Unacknowledged, now: number) => {
    if (due !== undefined) return due <= now ? "due" : undefined
    if (boot === me.boot) return mine.has(tag) ? undefined : "astray"
    return (broker.leases.get(boot ?? "") ?? 0) < now ? "lost" : undefined
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
    handBack: (delivery, { crashed, generation }) => letGo("handBack", delivery, (entry) => restore(entry, crashed, generation)),
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
        if (other !== undefined && other.boot !== me.boot && (broker.leases.get(other.boot) ?? 0) > now) {
          if (!outlived(other)) return false
          broker.leases.delete(other.boot)
        }
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
    status: command("status", (now) => status(broker, queues, now)),
    ping: command("ping", () => {})
  })
})

export const layer = Layer.effect(TaskQueue, make)
