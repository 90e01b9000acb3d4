import { Clock, Effect } from "effect"
import type { GivenBack } from "../../services/TaskQueue.ts"
import type { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as kombu from "../../wire/kombu.ts"
import { listsOf, type MemoryBroker, type MemoryWire, type Unacknowledged } from "./Broker.ts"

/** What the roles of the task queue share. */
export interface Shared extends ReturnType<typeof stepsOf> {
  readonly broker: MemoryBroker["Service"]
  readonly me: WorkerIdentity["Service"]
  /** The queues messages are taken from now. */
  queues: ReadonlyArray<string>
  /** The tags of what we hold, and of claims on their way: any other under our name came of a claim whose answer was lost. */
  readonly mine: Set<string>
  /**
   * Messages that could not be handed back, and what was to be added to them. They are no longer among `mine`, so the next pass
   * puts them back.
   */
  readonly failed: Map<string, GivenBack>
}

/** The steps at the broker that the roles are made of. */
export const stepsOf = (broker: MemoryBroker["Service"], wire: (typeof MemoryWire)["Service"]) => {
  const lists = listsOf(broker)
  const { listAt, push } = lists
  return {
    ...lists,
    wire,
    /** One step at the broker. */
    command: <A>(name: string, run: (now: number) => A) => wire.send(name, Effect.map(Clock.currentTimeMillis, run)),
    /** `false` when it went to the dead letters instead, because a crash cannot be counted in it. */
    restore: (entry: Unacknowledged, crash: kombu.Crash, generation?: GivenBack["generation"]) => {
      const back = kombu.restored(entry.raw, crash, generation)
      if (back === undefined && crash !== "none") {
        listAt(kombu.dead(entry.queue)).unshift(entry.raw)
        return false
      }
      push(entry.queue, back?.priority ?? 0, back?.raw ?? entry.raw, "next")
      return true
    }
  }
}
