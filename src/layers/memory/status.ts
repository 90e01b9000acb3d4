import type { QueueStatus } from "../../services/TaskQueue.ts"
import * as kombu from "../redis/kombu.ts"
import { listsOf, type MemoryBroker } from "./Broker.ts"

/** What lies where, and who is there. */
export const status = (broker: MemoryBroker["Service"], queues: ReadonlyArray<string>, now: number): QueueStatus => {
  const { listAt, oldest } = listsOf(broker)
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
}
