/**
 * A stock Celery worker beside ours. It knows nothing of leases or the journal: what it holds lies in `unacked` in nobody's name,
 * and comes back when its visibility timeout is over.
 */
import { Effect } from "effect"
import * as kombu from "../../src/wire/kombu.ts"
import * as Reply from "../../src/programs/celery/Reply.ts"
import { type Cluster, QUEUES } from "./Cluster.ts"
import { idOf } from "./Records.ts"

/** Stock's is an hour, which no run lasts (milliseconds). */
const VISIBILITY = 100_000

interface Message {
  readonly body: string
  readonly headers: { readonly id: string; readonly group: string | null }
}

/** Whether a simple worker can bring it to its end: nothing follows it, and nothing waits for it. */
const isSimple = (raw: string): boolean => {
  if (idOf(raw) === undefined) return false
  const { body, headers } = JSON.parse(raw) as Message // it has an id, so it is one of `Clients`' or came of one
  const [, , embed] = JSON.parse(Buffer.from(body, "base64").toString()) as [unknown, unknown, Readonly<Record<string, unknown>>] // Celery's
  return headers.group === null && Object.values(embed).every((follows) => follows === null)
}

/** It takes the next message, and ends it, gives it back in order, or dies with it. */
export const stockTakes = (cluster: Cluster) => {
  const { broker, dice, records, redis, results } = cluster
  const found = kombu.lists(QUEUES).find(({ key }) => (broker.lists.get(key) ?? []).length > 0)
  if (found === undefined) return
  const { key, queue } = found
  const raw = broker.lists.get(key)!.pop()!
  const tag = `stock-${redis.writes}`
  const entry = { tag, queue, raw, boot: undefined, due: redis.now + VISIBILITY }
  broker.unacknowledged.set(tag, entry)
  redis.wrote()
  const id = idOf(raw) ?? "?"
  const does = isSimple(raw) ? dice.pick(["ends", "ends", "dies"] as const) : dice.pick(["gives back", "dies"] as const)
  cluster.note(`takes ${id}, and ${does}`, "stock")
  cluster.count("messages taken by stock workers")
  const after = dice.between(0, 15) * 1000
  if (does === "dies") return
  cluster.soon(after, () => {
    // Someone may have put it back meanwhile, or Redis forgotten it.
    if (broker.unacknowledged.get(tag) !== entry) return
    if (does === "ends") {
      records.endedByStock.add(id)
      const whose = { id, group: null, parentId: null }
      Effect.runSync(results.store(Reply.success(whose, { by: "stock" }, [], cluster.time.now)))
    } else broker.lists.get(key)!.push(kombu.restored(raw, "none")?.raw ?? raw)
    broker.unacknowledged.delete(tag)
    redis.wrote()
    broker.pushed.openUnsafe()
  })
}
