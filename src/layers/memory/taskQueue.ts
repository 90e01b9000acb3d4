import { Clock, Effect, Exit, Option, Result } from "effect"
import type { ResultStore } from "../../services/ResultStore.ts"
import { type Claimed, type Delivery, MAX_MESSAGE, type TakesNext, TaskQueue } from "../../services/TaskQueue.ts"
import { burialOf } from "../lifeText.ts"
import * as kombu from "../../wire/kombu.ts"
import type { Told } from "../../services/TaskLives.ts"
import type { Unacknowledged } from "./Broker.ts"
import type { Shared } from "./shared.ts"

/**
 * Claims messages and ends holds on them. `beside` is the result store when one step stores a result and acknowledges, as on one
 * server.
 */
export const taskQueue = (shared: Shared, results: ResultStore["Service"], beside: ResultStore["Service"] | undefined) => {
  const { broker, came, command, failed, listAt, me, mine, restore, wire } = shared
  let claims = 0

  /** Ends our hold, if it is ours still. */
  const endHold = (
    delivery: Delivery,
    now: number,
    then: (entry: Unacknowledged, now: number) => void,
    told: Told | undefined
  ) => {
    const entry = broker.unacknowledged.get(delivery.tag)
    if (entry?.boot !== me.boot) return
    broker.unacknowledged.delete(delivery.tag)
    then(entry, now)
    broker.lives.tell(told, now)
  }
  const forget = ({ tag }: Delivery) =>
    Effect.sync(() => {
      mine.delete(tag)
      failed.delete(tag)
    })
  const endingHold = (
    name: string,
    delivery: Delivery,
    then: (entry: Unacknowledged, now: number) => void,
    told: Told | undefined
  ) => command(name, (now) => endHold(delivery, now, then, told)).pipe(Effect.tap(() => forget(delivery)))

  /** A claim under a tag of its own, which counts as ours from before it is sent until it is known that it took nothing. */
  const claiming = <E>(ask: (tag: string) => Effect.Effect<Option.Option<Claimed>, E>) =>
    Effect.suspend(() => {
      const tag = `${me.boot}-${++claims}`
      mine.add(tag)
      return Effect.onExit(ask(tag), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit) || Option.isNone(exit.value) || exit.value.value.tooLarge !== undefined) mine.delete(tag)
        })
      )
    })
  const take = (tag: string, now: number, stays: (raw: string) => boolean): Option.Option<Claimed> => {
    for (const { key, queue } of kombu.lists(shared.queues)) {
      const raw = listAt(key).at(-1)
      if (raw === undefined) continue
      if (stays(raw)) return Option.none()
      listAt(key).pop()
      const tooLarge = raw.length > MAX_MESSAGE
      if (!tooLarge) broker.unacknowledged.set(tag, { tag, queue, raw, boot: me.boot, due: undefined })
      else listAt(kombu.dead(queue)).unshift(raw)
      return Option.some({
        tag,
        queue,
        raw: tooLarge ? JSON.stringify({ ...kombu.outline(raw), body: "" }) : raw,
        seenSince: came(key, raw) ?? now,
        suspect: kombu.isSuspect(raw),
        ...(tooLarge ? { tooLarge: raw.length } : {})
      })
    }
    return Option.none()
  }
  const isForClaim = (raw: string) => raw.length > MAX_MESSAGE || kombu.isSuspect(raw)

  /** One step: runs `store`, ends our hold, and claims the next message if `next` asks for one. */
  const settling = <E = never>(
    name: string,
    delivery: Delivery,
    { next = false, told }: TakesNext,
    then: (entry: Unacknowledged) => void,
    store: Effect.Effect<void, E> = Effect.void
  ) => {
    const step = (tag: string) =>
      Effect.gen(function* () {
        const stored = yield* Effect.result(store)
        if (Result.isFailure(stored)) return Result.fail(stored.failure)
        const now = yield* Clock.currentTimeMillis
        endHold(delivery, now, then, told)
        return Result.succeed(tag === "" ? Option.none<Claimed>() : take(tag, now, isForClaim))
      }).pipe(
        (run) => wire.send(name, run),
        Effect.flatMap(Effect.fromResult),
        Effect.tap(() => forget(delivery))
      )
    return next ? claiming(step) : step("")
  }
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
    claim: claiming((tag) => command("claim", (now) => take(tag, now, () => false))),
    acknowledge: (delivery, { result, ...options } = {}) => {
      const store = result === undefined ? Effect.void : (beside ?? results).store(result)
      return beside === undefined
        ? Effect.andThen(
            store,
            settling("acknowledge", delivery, options, () => {})
          )
        : settling("acknowledge", delivery, options, () => {}, store)
    },
    handBack: (delivery, options) =>
      endingHold(
        "handBack",
        delivery,
        (entry) => restore(entry, options.crashed ? "alone" : "none", options.generation),
        options.told
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) return
            mine.delete(delivery.tag)
            failed.set(delivery.tag, options)
          })
        )
      ),
    hold: (delivery, at, options = {}) => settling("hold", delivery, options, (entry) => schedule(entry, at)),
    bringForward: (tags) =>
      command("bringForward", (now) => {
        for (const tag of tags) {
          const entry = broker.unacknowledged.get(tag)
          if (entry?.due === undefined || entry.due <= now) continue
          broker.unacknowledged.delete(tag)
          broker.unacknowledged.set(tag, { ...entry, due: now }) // last, so that they come back in this order
        }
      }),
    retry: (delivery, next, at, told) => endingHold("retry", delivery, () => schedule(next, at), told),
    bury: (delivery, letter) =>
      endingHold(
        "bury",
        delivery,
        (_, now) => listAt(kombu.dead(delivery.queue)).unshift(kombu.deadLetter(delivery, letter, me.name, now)),
        burialOf(delivery.raw, letter, me.name)
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
