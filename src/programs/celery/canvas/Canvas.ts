import { Option, Result, type Schema } from "effect"
import type { ChordPart, ResultTuple } from "../../../services/ResultStore.ts"
import { derivedId } from "../../../wire/derivedId.ts"
import { budget } from "./budget.ts"
import { apply, applyUnread, type FollowUp, nothing, orCannot, together } from "./apply.ts"
import { callbackFailure, dependencyFailure, gathered } from "./chord.ts"
import type { Origin, Sender } from "./publish.ts"
import * as Signature from "./Signature.ts"
import { errbacksOf, type Part, type NeverRun, neverRun } from "./neverRun.ts"
import type { Message } from "../Message.ts"
import type { Whose } from "../Reply.ts"
import type { TaskFailure } from "../TaskFailure.ts"

export type { FollowUp, Part, NeverRun }
export type { Origin as Sender }

/** The parts of a message that are needed when its task has ended. */
export type Ended = Pick<
  Message,
  "id" | "group" | "groupIndex" | "rootId" | "parentId" | "replyTo" | "embed" | "digest" | "caller"
> &
  Whose

/**
 * The sender of the tasks that follow a task. Their ids are derived from the task's own, so a second delivery sends the same
 * ones.
 */
export const senderOf = (ended: Ended, queue: string, name: string, now: number): Origin => ({
  seed: ended.id,
  replyTo: ended.replyTo ?? derivedId(ended.id, "reply"),
  rootId: ended.rootId,
  parentId: ended.id,
  caller: ended.caller(),
  queue,
  name,
  now
})

const isGroup = (signature: Readonly<Record<string, unknown>>) => signature["subtask_type"] === "group"
const group = (tasks: ReadonlyArray<Signature.Signature>): Signature.Group => ({
  kind: "group",
  tasks,
  args: [],
  options: {},
  immutable: false
})

/** Several calls as one new group. Each call that cannot be read fails on its own. */
const asGroup = (
  sender: Sender,
  signatures: ReadonlyArray<unknown>,
  args: ReadonlyArray<unknown>,
  options: Signature.Options,
  path: string
): FollowUp => {
  const read = signatures.map((signature) => ({ signature, understood: Signature.read(signature) }))
  const good = read.flatMap(({ understood }) => (understood._tag === "Success" ? [understood.success] : []))
  return together([
    ...(good.length === 0 ? [] : [apply(sender, group(good), args, options, path)]),
    ...read.flatMap(({ signature, understood }, at) =>
      understood._tag === "Success" ? [] : [applyUnread(sender, signature, args, options, `${path} ${at}`)]
    )
  ])
}

/** Nothing waits for it but its own client: it is in no chord, and nothing follows it. */
export const isAlone = ({ embed, group }: Pick<Ended, "embed" | "group">): boolean =>
  !isPresent(embed.callbacks) && !isPresent(embed.chain) && (group === null || (embed.chord ?? null) === null)
const isPresent = (list: ReadonlyArray<unknown> | null | undefined) => (list?.length ?? 0) > 0

/** The tasks that follow a success: the `link` callbacks, then the next task of the chain. */
export const afterSuccess = (ended: Ended, value: Schema.Json, origin: Origin): FollowUp =>
  orCannot(origin, [...(ended.embed.callbacks ?? []), ...restInOrder(ended)], "what was to come next", (sender) =>
    afterwards(ended, value, sender)
  )

const afterwards = (ended: Ended, value: Schema.Json, sender: Sender): FollowUp => {
  const callbacks = ended.embed.callbacks ?? []
  const chain = ended.embed.chain ?? []
  const options = { parent_id: ended.id, root_id: ended.rootId, priority: null }
  const next = chain.at(-1)
  const groups = callbacks.filter(isGroup)
  const others = callbacks.filter((signature) => !isGroup(signature))
  return together([
    ...(callbacks.length === 1
      ? [applyUnread(sender, callbacks[0], [value], options, "callback 0")]
      : [
          ...groups.map((signature, at) => applyUnread(sender, signature, [value], options, `callback group ${at}`)),
          ...(others.length === 0 ? [] : [asGroup(sender, others, [value], options, "callbacks")])
        ]),
    ...(next === undefined
      ? []
      : [applyUnread(sender, next, [value], { chain: chain.slice(0, -1), ...options }, "the rest of the chain")])
  ])
}

const restInOrder = (ended: Ended) => (ended.embed.chain ?? []).toReversed()
/** The remaining tasks of a chain, in order: when one fails, all of them fail with it. */
export const restOfChain = (ended: Ended): ReadonlyArray<NeverRun> =>
  restInOrder(ended).flatMap((signature) => neverRun(signature))

/** All that was to follow a task that ends well. */
export const followers = (ended: Ended): ReadonlyArray<NeverRun> => [
  ...(ended.embed.callbacks ?? []).flatMap((signature) => neverRun(signature)),
  ...restOfChain(ended)
]

/** Calls of the errbacks of a task that failed, all of the kind that gets its id. */
export const afterFailure = (
  failed: { readonly id: string; readonly rootId: string; readonly errbacks: ReadonlyArray<unknown> },
  origin: Origin
): FollowUp =>
  failed.errbacks.length === 0
    ? nothing
    : orCannot(
        { ...origin, seed: failed.id, rootId: failed.rootId, parentId: failed.id },
        failed.errbacks,
        "errbacks",
        (sender) => asGroup(sender, failed.errbacks, [failed.id], { parent_id: failed.id, root_id: failed.rootId }, "errbacks")
      )

/** What happens when the last part of a chord has ended. */
export type ChordEnd =
  | { readonly _tag: "Body"; readonly next: FollowUp }
  | {
      readonly _tag: "Failed"
      readonly failure: TaskFailure
      readonly neverRun: ReadonlyArray<NeverRun>
      readonly next: FollowUp
    }

/** The body with the results, or the ChordError for everyone who waits for it. */
export const afterChord = (
  chord: { readonly group: string; readonly body: unknown },
  parts: ReadonlyArray<ChordPart>,
  shape: Option.Option<ResultTuple>,
  origin: Origin
): ChordEnd => {
  const made = Option.match(dependencyFailure(parts), {
    onSome: Result.fail,
    onNone: () =>
      Result.flatMap(Signature.read(chord.body), (body) =>
        Result.try({
          // The seed is the chord's own, so the body gets the same ids whichever task ends last.
          try: () => apply({ ...origin, seed: chord.group, spend: budget() }, body, [gathered(parts, shape)], {}, "body"),
          catch: (error) => (error instanceof Error ? error.message : String(error))
        })
      ).pipe(Result.mapError(callbackFailure))
  })
  if (Result.isSuccess(made)) return { _tag: "Body", next: made.success }
  return {
    _tag: "Failed",
    failure: made.failure,
    neverRun: neverRun(chord.body),
    next: together(errbacksOf(chord.body).map((one) => afterFailure({ ...one, rootId: one.id }, origin)))
  }
}
