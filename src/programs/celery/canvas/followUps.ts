import { Effect, Option } from "effect"
import type { ResultStore, TaskResult } from "../../../services/ResultStore.ts"
import type { Once, Publisher } from "../../../services/Publisher.ts"
import * as Text from "../../../wire/Text.ts"
import * as Canvas from "./Canvas.ts"
import { digest } from "../digest.ts"
import { complete } from "./chord.ts"
import * as Reply from "../Reply.ts"
import * as TaskFailure from "../TaskFailure.ts"

/**
 * Performs the steps that follow the end of a task. Each step can be repeated, so it has its effect once, however often the task
 * is delivered. A client that waits for something that cannot come any more gets a failure.
 */
export const make = (publisher: Publisher["Service"], results: ResultStore["Service"]) => {
  /** Sends a follow-up, once. */
  const send = Effect.fnUntraced(function* (once: Once, next: Canvas.FollowUp, sender: Canvas.Sender) {
    for (const group of next.groups) yield* results.saveGroupTree(group)
    // Before the messages: the last header task must find how many there are.
    for (const { group, size } of next.sizes) yield* results.setChordSize(group, size)
    if (next.messages.length > 0) yield* publisher.publishOnce(once, "", next.messages)
    for (const { task, why } of next.impossible) {
      yield* failNeverRun([task], (whose) => Reply.failure(whose, TaskFailure.internalError(why), sender.now), sender)
    }
  })

  /** Notes that a task has ended in the chord it is a header task of, and ends that chord when it was the last. */
  const part = Effect.fnUntraced(function* (
    task: Canvas.Part,
    end: Pick<TaskResult, "status" | "result">,
    sender: Canvas.Sender
  ): Effect.fn.Return<void, Failure> {
    const { chord: body, group } = task
    if (group === null || body === null || body === undefined) return
    const parts = yield* results.addChordPart(group, task.index, { taskId: task.id, status: end.status, result: end.result })
    if (Option.isNone(parts)) return
    const shape = yield* results.loadGroup(group)
    if (!complete(parts.value, shape)) return
    const ended = Canvas.afterChord({ group, body }, parts.value, shape, sender)
    if (ended._tag === "Body") {
      yield* send({ key: `chord:${group}`, digest: digest(body, parts.value) }, ended.next, sender)
      yield* results.dropChord(group)
    } else {
      yield* Effect.logWarning("a chord failed", { group, error: Text.cut(ended.failure.message, 500) })
      yield* failNeverRun(ended.neverRun, (whose) => Reply.failure(whose, ended.failure, sender.now), sender)
      yield* send({ key: `chord-errbacks:${group}`, digest: digest(body) }, ended.next, sender)
    }
  })

  /** Each of these tasks has ended without having run. */
  const failNeverRun = Effect.fnUntraced(function* <T extends Canvas.Part>(
    tasks: ReadonlyArray<T>,
    document: (whose: Reply.Whose, task: T) => TaskResult,
    sender: Canvas.Sender
  ): Effect.fn.Return<void, Failure> {
    for (const task of tasks) {
      const told = document({ id: task.id, group: task.group, parentId: null }, task)
      yield* results.store(told)
      yield* part(task, told, sender)
    }
  })

  const partOf = ({ embed, group, groupIndex, id }: Canvas.Ended): Canvas.Part => ({
    id,
    group,
    index: groupIndex,
    chord: embed.chord ?? null
  })

  const counted = (ended: Canvas.Ended, end: Pick<TaskResult, "status" | "result">, sender: Canvas.Sender): ReadonlyArray<Step> =>
    ended.group === null || (ended.embed.chord ?? null) === null
      ? []
      : [{ _tag: "Run", what: "count it in its chord", run: Effect.suspend(() => part(partOf(ended), end, sender)) }]

  return {
    /** Callbacks and the next link of the chain; to be done before the result is stored, so that its children are complete. */
    follow: (ended: Canvas.Ended, next: Canvas.FollowUp, sender: Canvas.Sender): ReadonlyArray<Step> =>
      isNothing(next)
        ? []
        : [
            {
              _tag: "Run",
              what: "send what follows",
              run: Effect.suspend(() => send({ key: `after:${ended.id}`, digest: ended.digest() }, next, sender)),
              otherwise: {
                _tag: "Run",
                what: "tell who waits for what was to follow",
                run: Effect.suspend(() => {
                  const failure = TaskFailure.internalError("it was to follow a task that ended well, and could not be sent")
                  return failNeverRun(Canvas.followers(ended), (whose) => Reply.failure(whose, failure, sender.now), sender)
                })
              }
            }
          ],

    /** The chord a task was a part of, after its result is stored. */
    counted,

    /**
     * Reports a task that did not end well, in this order: to the client that waits for its result, its chord, the rest of its
     * chain, and, after a failure, its errbacks. A report that fails does not keep the others from being made.
     */
    fail: (ended: Canvas.Ended, document: (whose: Reply.Whose) => TaskResult, sender: Canvas.Sender): ReadonlyArray<Step> => {
      const alike = (whose: Reply.Whose, { call }: Canvas.NeverRun) => document({ ...whose, extended: ended.extended && call })
      const errbacks = ended.embed.errbacks ?? []
      const told = document(ended)
      const steps: Array<Step> = [stored(told), ...counted(ended, told, sender)]
      if ((ended.embed.chain ?? []).length > 0)
        steps.push({
          _tag: "Run",
          what: "tell the rest of its chain",
          run: Effect.suspend(() => failNeverRun(Canvas.restOfChain(ended), alike, sender))
        })
      if (errbacks.length > 0 && told.status === "FAILURE")
        steps.push({
          _tag: "Run",
          what: "send its errbacks",
          run: Effect.suspend(() =>
            send(
              { key: `errbacks:${ended.id}`, digest: ended.digest() },
              Canvas.afterFailure({ id: ended.id, rootId: ended.rootId, errbacks }, sender),
              sender
            )
          )
        })
      return steps
    }
  }
}

export type FollowUps = ReturnType<typeof make>

/** One step that follows the end of a task. It may be repeated. */
export type Step =
  /** The task's own result. */
  | { readonly _tag: "Store"; readonly what: string; readonly result: TaskResult }
  | {
      readonly _tag: "Run"
      readonly what: string
      readonly run: Effect.Effect<void, Failure>
      /** The step to perform instead when this one cannot be performed. */
      readonly otherwise?: Step
    }

export const stored = (result: TaskResult): Step => ({ _tag: "Store", what: "store a result", result })

const isNothing = ({ groups, impossible, messages, sizes }: Canvas.FollowUp) =>
  groups.length === 0 && impossible.length === 0 && messages.length === 0 && sizes.length === 0

type Failure =
  | Effect.Error<ReturnType<ResultStore["Service"]["store"]>>
  | Effect.Error<ReturnType<Publisher["Service"]["publish"]>>
