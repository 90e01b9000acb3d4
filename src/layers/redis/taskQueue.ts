import { Clock, Effect, Exit, Option } from "effect"
import { isUtf8 } from "node:buffer"
import { randomUUID } from "node:crypto"
import { type Claimed, type Delivery, MAX_MESSAGE, TaskQueue } from "../../services/TaskQueue.ts"
import { script } from "./connect.ts"
import type { doorbells } from "./doorbells.ts"
import { hastening } from "./hasten.ts"
import * as kombu from "./kombu.ts"
import * as scripts from "./scripts.ts"
import { attempt, type Shared, told } from "./shared.ts"

/** What a consumer takes and gives back. */
export const taskQueue = (shared: Shared, bells: Effect.Success<ReturnType<typeof doorbells>>) => {
  const { failed, keyPrefix, me, mine, redis, visibility } = shared
  const claim = script(redis, "mgClaim", scripts.claim, "buffers")
  const acknowledge = script(redis, "mgAcknowledge", scripts.acknowledge)
  const bury = script(redis, "mgBury", scripts.bury)
  const handBack = script(redis, "mgHandBack", scripts.handBack)
  const hold = script(redis, "mgHold", scripts.hold)
  const hasten = hastening(redis, visibility)
  const { held, scheduled, unacked, unackedIndex } = kombu
  const holding = [unacked, unackedIndex, held]

  /** One of the steps that end our hold on a delivery. */
  const letGo = (operation: string, delivery: Delivery, run: () => Promise<unknown>) =>
    attempt(operation, run).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          mine.delete(delivery.tag)
          failed.delete(delivery.tag)
        })
      ),
      Effect.asVoid
    )

  return TaskQueue.of({
    awaitMessage: Effect.flatMap(
      Effect.suspend(() => bells.at(kombu.lists(shared.queues).map(({ key }) => key))),
      (wait) => attempt("awaitMessage", wait)
    ).pipe(Effect.asVoid),
    claim: Effect.suspend(() => {
      const tag = randomUUID()
      mine.add(tag)
      const lists = kombu.lists(shared.queues)
      return Effect.gen(function* () {
        const reply = yield* attempt("claim", () =>
          claim(
            [...holding, ...lists.flatMap(({ key, queue }) => [key, kombu.arrivals(key), kombu.dead(queue)])],
            [me.boot, tag, MAX_MESSAGE, ...lists.map(({ queue }) => queue)]
          )
        )
        if (!Array.isArray(reply)) return Option.none<Claimed>()
        const [queue, bytes, waited, size] = reply as [Buffer, Buffer, Buffer, Buffer] // what the script returns
        const raw = bytes.toString()
        const now = yield* Clock.currentTimeMillis
        if (size.length > 0) mine.delete(tag)
        return Option.some({
          tag,
          queue: queue.toString(),
          raw,
          ...(isUtf8(bytes) ? {} : { bytes }),
          seenSince: now - Math.max(0, Number(waited)) * 1000,
          suspect: kombu.isSuspect(raw),
          ...(size.length === 0 ? {} : { tooLarge: Number(size) })
        })
      }).pipe(Effect.onExit((exit) => Effect.sync(() => (Exit.isFailure(exit) || Option.isNone(exit.value)) && mine.delete(tag))))
    }),
    acknowledge: (delivery) => letGo("acknowledge", delivery, () => acknowledge(holding, [me.boot, delivery.tag])),
    handBack: (delivery, options) =>
      letGo("handBack", delivery, () =>
        handBack([...holding, scheduled], [keyPrefix, delivery.queue, me.boot, delivery.tag, ...told(options)])
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) return
            mine.delete(delivery.tag)
            failed.set(delivery.tag, options)
          })
        )
      ),
    hold: (delivery, at) =>
      letGo("hold", delivery, () =>
        hold([...holding, scheduled], [me.boot, delivery.tag, delivery.tag, "", at / 1000, visibility])
      ),
    hasten: (tags) => attempt("hasten", () => hasten(tags)),
    retry: (delivery, next, at) =>
      letGo("retry", delivery, () =>
        hold(
          [...holding, scheduled],
          [me.boot, delivery.tag, next.tag, `[${next.raw},"",${JSON.stringify(next.queue)}]`, at / 1000, visibility]
        )
      ),
    bury: (delivery, letter) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        letGo("bury", delivery, () =>
          bury(
            [...holding, kombu.dead(delivery.queue)],
            [me.boot, delivery.tag, kombu.deadLetter(delivery, letter, me.name, now)]
          )
        )
      ),
    queues: Effect.sync(() => shared.queues),
    consume: (queue) =>
      Effect.sync(() => {
        if (!shared.queues.includes(queue)) shared.queues = [...shared.queues, queue]
        bells.changed()
      }),
    cancel: (queue) =>
      Effect.sync(() => {
        shared.queues = shared.queues.filter((other) => other !== queue)
        bells.changed()
      })
  })
}
