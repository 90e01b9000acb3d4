import { Effect, Option } from "effect"
import type { Generation } from "../../src/services/Journal.ts"
import type { Model } from "../../src/services/ModelLibrary.ts"
import type { TaskResult } from "../../src/services/ResultStore.ts"
import type { Cluster, Process } from "./Cluster.ts"
import type { Passage } from "./passage.ts"
import type { VirtualTime } from "./VirtualTime.ts"

/** Longer than a lease (milliseconds). */
const LEASE = 31_000

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
  readonly intents = new Map<string, Array<{ readonly at: number; readonly resubmits: number }>>()
  /** How often a task's message was found in a dead worker's hands. */
  readonly lost = new Map<string, number>()
  /** How often a worker has sent a task, by id. */
  readonly sent = new Map<string, number>()
  /** Requests to fal whose looks or cancels met with trouble. */
  readonly disturbed = new Set<string>()
  /** Request ids whose submit was answered, and to whom. */
  readonly answered = new Map<string, { readonly by: Process; readonly at: number }>()
  readonly violations: Array<string> = []

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
              if (moved === "written") {
                const [taskId, , { resubmits }] = args as [string, unknown, { readonly resubmits: number }] // what `intend` takes
                this.intents.set(taskId, [...(this.intents.get(taskId) ?? []), { at: time.now, resubmits }])
              }
              if (moved !== true) return
              const [taskId, , next] = args as [string, unknown, Option.Option<Generation>] // what `advance` takes
              if (Option.isSome(next) && next.value._tag === "Submitted") this.attached.set(next.value.requestId, taskId)
            })
          )
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
            // One that stands still cannot refresh its lease.
            const awake = holder?.running === true && holder.warm.isOpen()
            if (awake && cluster.time.now - holder.troubledAt > LEASE)
              this.violations.push(`robbed: ${holder.boot} of ${id} by ${by.boot}, though it lives`)
          }
        })
      )
    })
  }
}
