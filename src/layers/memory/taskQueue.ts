import { Effect, Exit, Option } from "effect"
import { type Claimed, type Delivery, MAX_MESSAGE, TaskQueue } from "../../services/TaskQueue.ts"
import * as kombu from "../redis/kombu.ts"
import type { Unacknowledged } from "./Broker.ts"
import type { Shared } from "./shared.ts"

/** What a consumer takes and gives back. */
export const taskQueue = (shared: Shared) => {
  const { broker, came, command, failed, listAt, me, mine, restore, wire } = shared
  let claims = 0

  /** Ends our hold, if it is ours still. */
  const letGo = (name: string, delivery: Delivery, then: (entry: Unacknowledged, now: number) => void) =>
    command(name, (now) => {
      const entry = broker.unacknowledged.get(delivery.tag)
      if (entry?.boot !== me.boot) return
      broker.unacknowledged.delete(delivery.tag)
      then(entry, now)
    }).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          mine.delete(delivery.tag)
          failed.delete(delivery.tag)
        })
      )
    )
  const schedule = ({ queue, raw, tag }: Delivery, due: number) =>
    broker.unacknowledged.set(tag, { tag, queue, raw, boot: undefined, due })

  return TaskQueue.of({
    awaitMessage: wire.send(
      "awaitMessage",
      Effect.suspend(() => {
        if (kombu.lists(shared.queues).some(({ key }) => listAt(key).length > 0)) return Effect.void
        broker.pushed.closeUnsafe()
        return broker.pushed.await
      })
    ),
    claim: Effect.suspend(() => {
      const tag = `${me.boot}-${++claims}`
      mine.add(tag)
      return command("claim", (now) => {
        for (const { key, queue } of kombu.lists(shared.queues)) {
          const raw = listAt(key).pop()
          if (raw === undefined) continue
          const tooLarge = raw.length > MAX_MESSAGE
          const claimed: Claimed = {
            tag,
            queue,
            raw: tooLarge ? JSON.stringify({ ...kombu.outline(raw), body: "" }) : raw,
            seenSince: came(key, raw) ?? now,
            suspect: kombu.isSuspect(raw),
            ...(tooLarge ? { tooLarge: raw.length } : {})
          }
          if (!tooLarge) broker.unacknowledged.set(tag, { tag, queue, raw, boot: me.boot, due: undefined })
          else listAt(kombu.dead(queue)).unshift(raw)
          return Option.some(claimed)
        }
        return Option.none<Claimed>()
      }).pipe(Effect.onExit((exit) => Effect.sync(() => (Exit.isFailure(exit) || Option.isNone(exit.value)) && mine.delete(tag))))
    }),
    acknowledge: (delivery) => letGo("acknowledge", delivery, () => {}),
    handBack: (delivery, options) =>
      letGo("handBack", delivery, (entry) => restore(entry, options.crashed ? "alone" : "none", options.generation)).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) return
            mine.delete(delivery.tag)
            failed.set(delivery.tag, options)
          })
        )
      ),
    hold: (delivery, at) => letGo("hold", delivery, (entry) => schedule(entry, at)),
    hasten: (tags) =>
      command("hasten", (now) => {
        for (const tag of tags) {
          const entry = broker.unacknowledged.get(tag)
          if (entry?.due === undefined || entry.due <= now) continue
          broker.unacknowledged.delete(tag)
          broker.unacknowledged.set(tag, { ...entry, due: now }) // last, so that they come back in this order
        }
      }),
    retry: (delivery, next, at) => letGo("retry", delivery, () => schedule(next, at)),
    bury: (delivery, letter) =>
      letGo("bury", delivery, (_, now) =>
        listAt(kombu.dead(delivery.queue)).unshift(kombu.deadLetter(delivery, letter, me.name, now))
      ),
    queues: Effect.sync(() => shared.queues),
    consume: (queue) =>
      Effect.sync(() => {
        if (!shared.queues.includes(queue)) shared.queues = [...shared.queues, queue]
        broker.pushed.openUnsafe()
      }),
    cancel: (queue) =>
      Effect.sync(() => {
        shared.queues = shared.queues.filter((other) => other !== queue)
        broker.pushed.openUnsafe()
      })
  })
}
