import { Clock, Effect, Exit, Option } from "effect"
import { isUtf8 } from "node:buffer"
import { randomUUID } from "node:crypto"
import { type Claimed, type Delivery, MAX_MESSAGE, TaskQueue } from "../../services/TaskQueue.ts"
import type { TaskResult } from "../../services/ResultStore.ts"
import { script } from "./connect.ts"
import type { doorbells } from "./doorbells.ts"
import { hastening } from "./hasten.ts"
import * as kombu from "./kombu.ts"
import { isSelectRefused, type Storing, unlessStored } from "./results.ts"
import * as scripts from "./scripts.ts"
import { attempt, type Shared, told } from "./shared.ts"

/** What `take` returns in the scripts: queue, message, seconds it has been seen to wait, and its bytes where it is too large. */
type Reply = readonly [queue: Buffer, message: Buffer, waited: Buffer, size: Buffer]
const claimedOf = (tag: string, [queue, bytes, waited, size]: Reply, now: number): Claimed => {
  const raw = bytes.toString()
  return {
    tag,
    queue: queue.toString(),
    raw,
    ...(isUtf8(bytes) ? {} : { bytes }),
    seenSince: now - Math.max(0, Number(waited)) * 1000,
    suspect: kombu.isSuspect(raw),
    ...(size.length === 0 ? {} : { tooLarge: Number(size) })
  }
}

const { held, scheduled, unacked, unackedIndex } = kombu
const holding = [unacked, unackedIndex, held]

const layoutOf = (queues: ReadonlyArray<string>) => {
  const lists = kombu.lists(queues)
  return {
    queues: lists.map(({ queue }) => queue),
    forClaim: [...holding, ...lists.flatMap(({ key, queue }) => [key, kombu.arrivals(key), kombu.dead(queue)])],
    forSettle: [...holding, scheduled, ...lists.flatMap(({ key }) => [key, kombu.arrivals(key)])]
  }
}

/** What a consumer takes and gives back. */
export const taskQueue = (shared: Shared, bells: Effect.Success<ReturnType<typeof doorbells>>, results: Storing) => {
  const { failed, keyPrefix, me, mine, redis, visibility } = shared
  const claim = script(redis, "mgClaim", scripts.claim, "buffers")
  const bury = script(redis, "mgBury", scripts.bury)
  const handBack = script(redis, "mgHandBack", scripts.handBack)
  const retry = script(redis, "mgRetry", scripts.retry)
  const settle = script(redis, "mgSettle", scripts.settle, "buffers")
  const hasten = hastening(redis, visibility)

  /** One of the steps that end our hold on a delivery. */
  const letGo = (operation: string, delivery: Delivery, run: () => Promise<unknown>) =>
    attempt(operation, run).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          mine.delete(delivery.tag)
          failed.delete(delivery.tag)
        })
      )
    )

  /** A claim under a tag of its own, which counts as ours from before it is sent until it is known that it took nothing. */
  const claiming = <E>(ask: (tag: string) => Effect.Effect<unknown, E>) =>
    Effect.suspend(() => {
      const tag = randomUUID()
      mine.add(tag)
      return Effect.flatMap(ask(tag), (reply) => {
        if (!Array.isArray(reply)) return Effect.succeedNone
        return Effect.map(Clock.currentTimeMillis, (now) => {
          const claimed = claimedOf(tag, reply as unknown as Reply, now) // what the script returns
          if (claimed.tooLarge !== undefined) mine.delete(tag)
          return Option.some(claimed)
        })
      }).pipe(Effect.onExit((exit) => Effect.sync(() => (Exit.isFailure(exit) || Option.isNone(exit.value)) && mine.delete(tag))))
    })

  /** The lists of the queues, with what each script names of them; made anew when the queues are others. */
  let known: { readonly queues: ReadonlyArray<string>; readonly layout: ReturnType<typeof layoutOf> } | undefined
  const layout = () => {
    if (known?.queues !== shared.queues) known = { queues: shared.queues, layout: layoutOf(shared.queues) }
    return known.layout
  }

  /** Ends our hold on a delivery: acknowledges it (`due` "") or parks it until then (Unix seconds), and claims the next message. */
  const settling = (operation: string, delivery: Delivery, due: string, next: boolean, result?: TaskResult) => {
    const { forSettle, queues } = layout()
    const ask = (tag: string) =>
      letGo(operation, delivery, () =>
        settle(forSettle, [delivery.tag, due, visibility, me.boot, tag, MAX_MESSAGE, ...results.argumentsFor(result), ...queues])
      )
    return next ? claiming(ask) : Effect.as(ask(""), Option.none<Claimed>())
  }

  return TaskQueue.of({
    awaitMessage: Effect.suspend(() => bells.wait(kombu.lists(shared.queues).map(({ key }) => key))),
    claim: claiming((tag) => {
      const { forClaim, queues } = layout()
      return attempt("claim", () => claim(forClaim, [me.boot, tag, MAX_MESSAGE, ...queues]))
    }),
    acknowledge: (delivery, { next = false, result } = {}) => {
      const inTwo = Effect.suspend(() =>
        Effect.andThen(result === undefined ? Effect.void : results.store(result), settling("acknowledge", delivery, "", next))
      )
      if (result === undefined || !results.inOneStep) return inTwo
      return Effect.catchTag(settling("acknowledge", delivery, "", next, result), "QueueError", (error) => {
        if (!isSelectRefused(error)) return Effect.fail(unlessStored(error))
        // Nothing was done: SELECT comes first.
        results.inOneStep = false
        return Effect.andThen(
          Effect.logWarning("Redis refuses SELECT in a script: results are stored in a step of their own"),
          inTwo
        )
      })
    },
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
    hold: (delivery, at, { next = false } = {}) => settling("hold", delivery, String(at / 1000), next),
    hasten: (tags) => attempt("hasten", () => hasten(tags)),
    retry: (delivery, next, at) =>
      letGo("retry", delivery, () =>
        retry(
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
