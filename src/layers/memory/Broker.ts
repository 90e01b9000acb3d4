import { Context, type Effect, Latch, Layer, Option } from "effect"
import type { Buried } from "../../services/DeadLetters.ts"
import type { WorkerInfo } from "../../services/Lease.ts"
import type { QueueError } from "../../services/QueueError.ts"
import type { ResultStore } from "../../services/ResultStore.ts"
import type { Delivery } from "../../services/TaskQueue.ts"
import { makeLives, type MemoryLives } from "./lives.ts"
import * as kombu from "../../wire/kombu.ts"

export interface Unacknowledged extends Delivery {
  readonly boot: string | undefined
  readonly due: number | undefined
}

/** The broker of a fleet within one process, in Redis's place: it outlives the workers, and they share it. */
export class MemoryBroker extends Context.Service<
  MemoryBroker,
  {
    readonly lists: Map<string, Array<string>>
    readonly unacknowledged: Map<string, Unacknowledged>
    readonly leases: Map<string, number>
    /** Since when a worker's beats have come on time without a break. */
    readonly steady: Map<string, number>
    /** How much a dead worker held, until all of it has gone back. */
    readonly company: Map<string, number>
    readonly workers: Map<string, WorkerInfo>
    readonly sent: Map<string, string>
    /** Per list, when a message that was its newest at a beat was seen: the oldest last. */
    readonly arrivals: Map<string, Array<{ readonly raw: string; readonly at: number }>>
    readonly lives: MemoryLives
    readonly pushed: Latch.Latch
  }
>()("model-generator/layers/MemoryBroker") {
  static readonly layer = Layer.sync(MemoryBroker, () => ({
    lists: new Map(),
    unacknowledged: new Map(),
    leases: new Map(),
    steady: new Map(),
    company: new Map(),
    workers: new Map(),
    sent: new Map(),
    arrivals: new Map(),
    lives: makeLives(),
    pushed: Latch.makeUnsafe(false)
  }))
}

/** How a command reaches the broker and its answer comes back: at once and always, unless a test puts a worse one here. */
export const MemoryWire = Context.Reference<{
  readonly send: <A>(command: string, run: Effect.Effect<A>) => Effect.Effect<A, QueueError>
}>("model-generator/layers/MemoryWire", { defaultValue: () => ({ send: (_, run) => run }) })

/** The result store that lies on the broker's own server, so that one step does for both; undefined where it lies on another. */
export const ResultsBeside = Context.Reference<ResultStore["Service"] | undefined>("model-generator/layers/ResultsBeside", {
  defaultValue: () => undefined
})

/** Its lists, and when their messages came. */
export const listsOf = (broker: MemoryBroker["Service"]) => {
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
  const mark = (key: string, at: number) => {
    // The message of this mark was taken by another consumer, so the mark tells nothing any more.
    const marks = (broker.arrivals.get(key) ?? []).filter((one) => listAt(key).includes(one.raw))
    const raw = listAt(key)[0]
    if (raw === undefined) broker.arrivals.delete(key)
    else broker.arrivals.set(key, marks[0]?.raw === raw ? marks : [{ raw, at }, ...marks])
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
  const oldest = (queue: string, now: number) => {
    const seen = kombu
      .lists([queue])
      .flatMap(({ key }) => (listAt(key).length > 0 ? (broker.arrivals.get(key)?.at(-1)?.at ?? []) : []))
    return seen.length === 0 ? Option.none() : Option.some((now - Math.min(...seen)) / 1000)
  }

  return { came, exhume, listAt, mark, oldest, push }
}
