import { type Found, QueueInspector, type QueueStatus } from "../../services/QueueInspector.ts"
import * as kombu from "../../wire/kombu.ts"
import type { Shared } from "./shared.ts"

/** How many messages are where, and which workers there are. */
const statusOf = ({ broker, listAt, oldest, queues }: Shared, now: number): QueueStatus => {
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

const find = ({ broker, listAt, queues }: Shared, prefix: string, limit: number) => {
  const foundIn = (raw: string, queue: string, where: Found["where"]): ReadonlyArray<Found> => {
    const taskId = kombu.taskIdOf(raw)
    return taskId?.startsWith(prefix) === true ? [{ taskId, queue, outline: kombu.outline(raw) ?? {}, where }] : []
  }
  const waiting = kombu.lists(queues).flatMap(({ key, queue }) =>
    listAt(key)
      .toReversed()
      .flatMap((raw, before) => foundIn(raw, queue, { _tag: "Waiting", before }))
  )
  const nameOf = (boot: string | undefined) => [...broker.workers.values()].find((one) => one.boot === boot)?.name ?? null
  const unacked = [...broker.unacknowledged.values()].flatMap(({ boot, due, queue, raw }) =>
    foundIn(raw, queue, due === undefined ? { _tag: "Held", worker: nameOf(boot) } : { _tag: "Parked", due })
  )
  return { found: [...waiting, ...unacked].slice(0, limit), all: true }
}

/** Looks at queues and workers. */
export const inspector = (shared: Shared) => {
  const { broker, command } = shared
  return QueueInspector.of({
    status: command("status", (now) => statusOf(shared, now)),
    find: (prefix, limit) => command("find", () => find(shared, prefix, limit)),
    scheduled: (limit) =>
      command("scheduled", () =>
        [...broker.unacknowledged.values()]
          .flatMap(({ due, queue, raw, tag }) => (due === undefined ? [] : [{ delivery: { tag, queue, raw }, due }]))
          .toSorted((one, other) => one.due - other.due)
          .slice(0, limit)
      ),
    ping: command("ping", () => {})
  })
}
