import { Effect, Equal, Option } from "effect"
import * as kombu from "../../src/layers/redis/kombu.ts"
import type { Ticket } from "../../src/services/Generator.ts"
import type { Generation } from "../../src/services/Journal.ts"
import type { Model } from "../../src/services/ModelLibrary.ts"
import type { TaskResult } from "../../src/services/ResultStore.ts"
import type { Cluster, Process } from "./Cluster.ts"
import type { Passage } from "./passage.ts"
import type { VirtualTime } from "./VirtualTime.ts"

/** A lease, and how soon after an answer a worker asks for it again at the latest (milliseconds). */
const LEASE = kombu.LEASE * 1000
const BEAT = 5000

const LETTING_GO = new Set(["acknowledge", "handBack", "hold", "retry", "bury"])

const idOf = (raw: string): string | undefined => {
  try {
    return (JSON.parse(raw) as { headers?: { id?: string } }).headers?.id // a message, or it throws
  } catch {
    return undefined
  }
}

/** What an observer at the world's side of every call has seen, beside what lies there at the end. */
export class Records {
  /** Every document that was stored, by task id, in order. */
  readonly stored = new Map<string, Array<TaskResult>>()
  readonly rows = new Map<string, Model>()
  /** Request ids that were written to the journal, and of which task. */
  readonly attached = new Map<string, string>()
  /** With the time the broker heard of it, and the one it bears. */
  readonly intents = new Map<string, Array<{ readonly at: number; readonly dated: number; readonly resubmits: number }>>()
  /** How often a task's message was found in a dead worker's hands. */
  readonly lost = new Map<string, number>()
  /** How often a worker has sent a task, by id. */
  readonly sent = new Map<string, number>()
  /** Who has looked at a request, by its id. */
  readonly lookers = new Map<string, Set<Process>>()
  /** Request ids whose submit was answered, and to whom. */
  readonly answered = new Map<string, { readonly by: Process; readonly at: number }>()
  /** Who has heard an answer to a submit of a task, and when, by its seed. */
  readonly answers = new Map<number, Array<{ readonly by: Process; readonly at: number }>>()
  readonly violations: Array<string> = []
  /** What the journal says, by what was written. */
  readonly #entries = new Map<string, Generation>()

  looks(by: Process, { requestId }: Ticket) {
    const lookers = this.lookers.get(requestId) ?? new Set()
    this.lookers.set(requestId, lookers.add(by))
  }

  heard(by: Process, time: VirtualTime, args: ReadonlyArray<unknown>) {
    const [, { seed }] = args as [string, { readonly seed: number }] // what `submit` takes
    return Effect.sync(() => this.answers.set(seed, [...(this.answers.get(seed) ?? []), { by, at: time.now }]))
  }

  /** A stop that nothing hinders ends in order, and in time. */
  ended({ boot, hindrances, stoppingSince = 0 }: Process, now: number) {
    if (hindrances.some(({ to }) => to >= stoppingSince)) return
    this.violations.push(`does not stop: ${boot}, asked ${now - stoppingSince} ms ago`)
  }

  readonly results: Passage = (name, call, args) =>
    name !== "store"
      ? call
      : Effect.tap(call, () =>
          Effect.sync(() => {
            const document = args[0] as TaskResult // what `store` takes
            this.stored.set(document.task_id, [...(this.stored.get(document.task_id) ?? []), document])
          })
        )

  journal(time: VirtualTime): Passage {
    return (name, call, args) =>
      name !== "advance" && name !== "intend"
        ? call
        : Effect.tap(call, (moved) =>
            Effect.sync(() => {
              if (moved === true || moved === "written") this.#written(args)
              if (moved === "written") {
                const [taskId, , intent] = args as [string, unknown, { readonly at: number; readonly resubmits: number }] // what `intend` takes
                const { at: dated, resubmits } = intent
                this.intents.set(taskId, [...(this.intents.get(taskId) ?? []), { at: time.now, dated, resubmits }])
              }
              if (moved !== true) return
              const [taskId, , next] = args as [string, unknown, Option.Option<Generation>] // what `advance` takes
              if (Option.isSome(next) && next.value._tag === "Submitted") this.attached.set(next.value.requestId, taskId)
            })
          )
  }

  /** An entry of the journal is changed by who knows it, and nobody else. */
  #written(args: ReadonlyArray<unknown>) {
    // What `intend` and `advance` take.
    const [taskId, previous, next] = args as [string, Option.Option<Generation>, Generation | Option.Option<Generation>]
    if (!Equal.equals(Option.fromNullishOr(this.#entries.get(taskId)), previous)) this.violations.push(`written over: ${taskId}`)
    const entry = Option.isOption(next) ? Option.getOrUndefined(next) : next
    if (entry === undefined) this.#entries.delete(taskId)
    else this.#entries.set(taskId, entry)
  }

  readonly library: Passage = (name, call) =>
    name !== "save"
      ? call
      : Effect.tap(call, (row) =>
          Effect.sync(() => {
            const model = row as Model // what `save` gives
            this.rows.set(model.id, model)
          })
        )

  /** A command of the task queue, with the broker looked at before and after. */
  command<A>(cluster: Cluster, by: Process, name: string, run: Effect.Effect<A>): Effect.Effect<A> {
    const { broker } = cluster
    if (name === "publish" || name === "publishOnce")
      return Effect.suspend(() => {
        const before = new Map([...broker.lists].map(([key, list]) => [key, list.length]))
        return Effect.tap(run, () =>
          Effect.sync(() => {
            for (const [key, list] of broker.lists)
              for (const raw of list.slice(0, list.length - (before.get(key) ?? 0))) {
                const id = idOf(raw) ?? "?"
                this.sent.set(id, (this.sent.get(id) ?? 0) + 1)
              }
          })
        )
      })
    return this.#onlyOwn(cluster, by, name, this.#watched(cluster, by, name, run))
  }

  /** Nobody lets go of what another holds. */
  #onlyOwn<A>({ broker }: Cluster, by: Process, name: string, run: Effect.Effect<A>): Effect.Effect<A> {
    if (!LETTING_GO.has(name)) return run
    return Effect.suspend(() => {
      const others = [...broker.unacknowledged.values()].filter(({ boot }) => boot !== undefined && boot !== by.boot)
      return Effect.tap(run, () =>
        Effect.sync(() => {
          for (const entry of others)
            if (broker.unacknowledged.get(entry.tag) !== entry)
              this.violations.push(`not its own: ${by.boot} lets go of ${entry.tag}, which ${entry.boot} holds (${name})`)
        })
      )
    })
  }

  #watched<A>(cluster: Cluster, by: Process, name: string, run: Effect.Effect<A>): Effect.Effect<A> {
    const { broker } = cluster
    if (name === "claim")
      return Effect.tap(run, () =>
        Effect.sync(() => {
          const held = [...broker.unacknowledged.values()].filter(({ boot }) => boot === by.boot).length
          if (held > 1 && by.untroubled) this.violations.push(`too many: ${by.boot} holds ${held} messages`)
        })
      )
    if (name === "retry")
      // A run that ended in order: its crashes are counted anew.
      return Effect.suspend(() => {
        const before = new Set(broker.unacknowledged.values())
        return Effect.tap(run, () =>
          Effect.sync(() => {
            for (const entry of broker.unacknowledged.values()) if (!before.has(entry)) this.lost.delete(idOf(entry.raw) ?? "?")
          })
        )
      })
    if (name === "beat") return Effect.tap(run, (ours) => Effect.sync(() => this.#beat(cluster, by, ours === true)))
    if (name === "resign")
      return Effect.tap(run, () =>
        Effect.sync(() => {
          by.leasedUntil = Number.NEGATIVE_INFINITY
        })
      )
    if (name === "release") return Effect.tap(run, (found) => Effect.sync(() => this.#release(cluster, by, found)))
    if (name !== "restore") return run
    return Effect.suspend(() => {
      const before = [...broker.unacknowledged.values()]
      return Effect.tap(run, () =>
        Effect.sync(() => {
          for (const entry of before) {
            if (broker.unacknowledged.get(entry.tag) === entry || entry.boot === undefined || entry.boot === by.boot) continue
            const id = idOf(entry.raw) ?? "?"
            this.lost.set(id, (this.lost.get(id) ?? 0) + 1)
            const holder = cluster.processes.find(({ boot }) => boot === entry.boot)
            if (holder?.alive === true && !holder.running && holder.untroubled)
              this.violations.push(`not handed back: ${id} by ${holder.boot}, which was told to stop`)
            // A worker that stands still or that no request of reaches the broker may be robbed, and no other.
            if (holder?.awake === true && holder.askedAt !== undefined && cluster.time.now - holder.askedAt > BEAT + 1000)
              this.violations.push(`robbed: ${holder.boot} of ${id} by ${by.boot}: it does not ask for its lease`)
          }
        })
      )
    })
  }

  /** One of a name at a time, and the next at once when the last is over. */
  #beat({ processes, time }: Cluster, by: Process, ours: boolean) {
    const others = processes.filter(
      ({ boot, leasedUntil, name }) => boot !== by.boot && name === by.name && leasedUntil > time.now
    )
    const live = others.filter((other) => other.running || other.host !== by.host)
    if (!ours) {
      if (live.length === 0) this.violations.push(`kept waiting: ${by.boot}, though nobody has its name`)
      return
    }
    for (const { boot } of live) this.violations.push(`two of a name: ${by.boot} beside ${boot}`)
    for (const other of others) other.leasedUntil = Number.NEGATIVE_INFINITY
    by.leasedUntil = time.now + LEASE
  }

  /** What is given back of others is what they held whose lease has run out: all of it, and nothing else. */
  #release({ broker, processes, time }: Cluster, by: Process, found: unknown) {
    const { out } = found as { readonly out: ReadonlyArray<{ readonly entry: { readonly tag: string } }> } // of our memory queue
    const given = new Set(out.map(({ entry }) => entry.tag))
    for (const { boot, raw, tag } of broker.unacknowledged.values()) {
      if (boot === undefined || boot === by.boot) continue
      const holder = processes.find((process) => process.boot === boot)
      const over = holder === undefined || holder.leasedUntil < time.now
      if (given.has(tag) && !over) this.violations.push(`robbed: ${boot} of ${idOf(raw)} by ${by.boot}: its lease was good`)
      if (!given.has(tag) && over) this.violations.push(`left with the dead: ${idOf(raw)} with ${boot} by ${by.boot}`)
    }
  }
}
