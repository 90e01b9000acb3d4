import { Clock, Effect, Exit, Option } from "effect"
import { isUtf8 } from "node:buffer"
import { randomUUID } from "node:crypto"
import { type Claimed, type Delivery, MAX_MESSAGE, TaskQueue } from "../../services/TaskQueue.ts"
import type { TaskResult } from "../../services/ResultStore.ts"
import type { Told } from "../../services/TaskLives.ts"
import type { messageWaiter } from "./messageWaiter.ts"
import * as kombu from "../../wire/kombu.ts"
import { burialOf, toldArguments } from "../lifeText.ts"
import { isSelectRefused, type Storing, unlessStored } from "./results.ts"
import { bringForward } from "./scripts/bringForward.ts"
import { bury } from "./scripts/bury.ts"
import { claim } from "./scripts/claim.ts"
import { handBack } from "./scripts/handBack.ts"
import type { Taken } from "./scripts/lib/take.ts"
import { retry } from "./scripts/retry.ts"
import { bind } from "./scripts/script.ts"
import { endHold } from "./scripts/endHold.ts"
import { attempt, crashOf, generationOf, type Shared } from "./shared.ts"

const claimedOf = (tag: string, { message, queue, tooLarge, waited }: Taken, now: number): Claimed => {
  const raw = message.toString()
  return {
    tag,
    queue: queue.toString(),
    raw,
    ...(isUtf8(message) ? {} : { bytes: message }),
    seenSince: now - Math.max(0, waited) * 1000,
    suspect: kombu.isSuspect(raw),
    ...(tooLarge === undefined ? {} : { tooLarge })
  }
}

const listsOf = (queues: ReadonlyArray<string>) =>
  kombu.lists(queues).map(({ key, queue }) => ({ list: key, marks: kombu.arrivals(key), dead: kombu.dead(queue), queue }))

/** The most messages that one step brings forward, so that other commands have their turn between two steps. */
const AT_ONCE = 500

/** Claims messages and ends holds on them. */
export const taskQueue = (shared: Shared, messages: Effect.Success<ReturnType<typeof messageWaiter>>, results: Storing) => {
  const { failed, keyPrefix, me, mine, redis, visibility } = shared
  const run = {
    claim: bind(redis, claim),
    endHold: bind(redis, endHold),
    bury: bind(redis, bury),
    handBack: bind(redis, handBack),
    retry: bind(redis, retry),
    bringForward: bind(redis, bringForward)
  }

  /** A step that ends our hold on a delivery. */
  const endingHold = <A>(operation: string, delivery: Delivery, step: () => Promise<A>) =>
    attempt(operation, async () => {
      const done = await step()
      mine.delete(delivery.tag)
      failed.delete(delivery.tag)
      return done
    })

  /** A claim under a tag of its own, which counts as ours from before it is sent until it is known that it took nothing. */
  const claiming = <E>(ask: (tag: string) => Effect.Effect<Taken | undefined, E>) =>
    Effect.suspend(() => {
      const tag = randomUUID()
      mine.add(tag)
      const asked = Effect.onExitPrimitive(ask(tag), (exit) => {
        if (Exit.isFailure(exit) || exit.value === undefined || exit.value.tooLarge !== undefined) mine.delete(tag)
        return undefined
      })
      return Effect.flatMap(asked, (taken) =>
        taken === undefined
          ? Effect.succeedNone
          : Effect.map(Clock.currentTimeMillis, (now) => Option.some(claimedOf(tag, taken, now)))
      )
    })

  /** The lists of the queues, made anew when the queues are others. */
  let known: { readonly queues: ReadonlyArray<string>; readonly lists: ReturnType<typeof listsOf> } | undefined
  const lists = () => {
    if (known?.queues !== shared.queues) known = { queues: shared.queues, lists: listsOf(shared.queues) }
    return known.lists
  }

  /** Ends our hold on a delivery: acknowledges it, or parks it until `due` (Unix seconds), and claims the next message. */
  const settling = (
    operation: string,
    delivery: Delivery,
    { due, next, result, told }: { due?: string; next: boolean; result?: TaskResult | undefined; told: Told | undefined }
  ) => {
    const ask = (nextTag: string | undefined) =>
      endingHold(operation, delivery, () =>
        run.endHold({
          tag: delivery.tag,
          due,
          visibility,
          boot: me.boot,
          nextTag,
          most: MAX_MESSAGE,
          ...results.argumentsFor(result),
          ...toldArguments(told),
          each: lists()
        })
      )
    return next ? claiming(ask) : Effect.as(ask(undefined), Option.none<Claimed>())
  }

  return TaskQueue.of({
    awaitMessage: Effect.suspend(() => messages.wait(kombu.lists(shared.queues).map(({ key }) => key))),
    claim: claiming((tag) => attempt("claim", () => run.claim({ boot: me.boot, tag, most: MAX_MESSAGE, each: lists() }))),
    acknowledge: (delivery, { next = false, result, told } = {}) => {
      const inTwo = Effect.suspend(() =>
        Effect.andThen(
          result === undefined ? Effect.void : results.store(result),
          settling("acknowledge", delivery, { next, told })
        )
      )
      if (result === undefined || !results.inOneStep) return inTwo
      return Effect.catchTag(settling("acknowledge", delivery, { next, result, told }), "QueueError", (error) => {
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
      endingHold("handBack", delivery, () =>
        run.handBack({
          prefix: keyPrefix,
          fallback: delivery.queue,
          boot: me.boot,
          tag: delivery.tag,
          crash: crashOf(options),
          generation: generationOf(options),
          ...toldArguments(options.told)
        })
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) return
            mine.delete(delivery.tag)
            failed.set(delivery.tag, options)
          })
        )
      ),
    hold: (delivery, at, { next = false, told } = {}) => settling("hold", delivery, { due: String(at / 1000), next, told }),
    bringForward: (tags) =>
      attempt("bringForward", async () => {
        for (let at = 0; at < tags.length; at += AT_ONCE)
          await run.bringForward({ visibility, rest: tags.slice(at, at + AT_ONCE) })
      }),
    retry: (delivery, next, at, told) =>
      endingHold("retry", delivery, () =>
        run.retry({
          boot: me.boot,
          tag: delivery.tag,
          nextTag: next.tag,
          entry: `[${next.raw},"",${JSON.stringify(next.queue)}]`,
          due: String(at / 1000),
          visibility,
          ...toldArguments(told)
        })
      ),
    bury: (delivery, letter) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        endingHold("bury", delivery, () =>
          run.bury({
            dead: kombu.dead(delivery.queue),
            boot: me.boot,
            tag: delivery.tag,
            letter: kombu.deadLetter(delivery, letter, me.name, now),
            ...toldArguments(burialOf(delivery.raw, letter, me.name))
          })
        )
      ),
    queues: Effect.sync(() => shared.queues),
    consume: (queue) =>
      Effect.sync(() => {
        if (!shared.queues.includes(queue)) shared.queues = [...shared.queues, queue]
        messages.changed()
      }),
    cancel: (queue) =>
      Effect.sync(() => {
        shared.queues = shared.queues.filter((other) => other !== queue)
        messages.changed()
      })
  })
}
