import { Result, type Schema } from "effect"
import type { ResultTuple } from "../../../services/ResultStore.ts"
import type { Outgoing } from "../../../services/Publisher.ts"
import { derivedId } from "../../../wire/derivedId.ts"
import * as Reply from "../Reply.ts"
import { freeze, prepare, withArgs } from "./freeze.ts"
import { budget } from "./budget.ts"
import { type Origin, publish, type Sender } from "./publish.ts"
import * as Options from "./options.ts"
import * as Signature from "./Signature.ts"
import { type Part, neverRun } from "./neverRun.ts"
import * as Text from "../../../wire/Text.ts"

/** The messages and failures that follow from the end of a task. */
export interface FollowUp {
  readonly messages: ReadonlyArray<Outgoing>
  /** Result tuples of what was sent. */
  readonly children: ReadonlyArray<Schema.Json>
  /** To be known before the messages are sent. */
  readonly sizes: ReadonlyArray<{ readonly group: string; readonly size: number }>
  readonly groups: ReadonlyArray<ResultTuple>
  /** Tasks that should follow and cannot run: their clients get a failure with the reason. */
  readonly impossible: ReadonlyArray<{ readonly task: Part; readonly why: string }>
}

export const nothing: FollowUp = { messages: [], children: [], sizes: [], groups: [], impossible: [] }
export const together = (all: ReadonlyArray<FollowUp>): FollowUp => ({
  messages: all.flatMap((one) => one.messages),
  children: all.flatMap((one) => one.children),
  sizes: all.flatMap((one) => one.sizes),
  groups: all.flatMap((one) => one.groups),
  impossible: all.flatMap((one) => one.impossible)
})

const present = (options: Signature.Options) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null && value !== undefined))
const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** Celery's `apply_async` of a signature: `args` go before its own, `options` over its own. */
export const apply = (
  sender: Sender,
  signature: Signature.Signature,
  args: ReadonlyArray<unknown>,
  options: Signature.Options,
  path: string
): FollowUp => {
  switch (signature.kind) {
    case "task": {
      const merged = Options.merge(signature.options, present(options))
      const id = Text.nonEmptyOf(merged["task_id"]) ?? derivedId(sender.seed, path)
      const message = publish(sender, signature, withArgs(signature, args).args, merged, id)
      if (Result.isFailure(message))
        return cannot(sender, Signature.written({ ...signature, options: merged }), message.failure, path)
      return { ...nothing, messages: [message.success], children: [Reply.taskTuple(id)] }
    }
    case "group":
      return applyGroup(sender, signature, args, options, path)
    case "chain": {
      const {
        chord,
        group_id,
        group_index,
        link,
        link_error,
        parent_id: _,
        root_id,
        task_id,
        ...rest
      } = {
        ...signature.options,
        ...options
      }
      const place = {
        id: Text.nonEmptyOf(task_id) ?? null,
        group: Text.nonEmptyOf(group_id) ?? null,
        chord,
        root: Text.nonEmptyOf(root_id) ?? null,
        index: typeof group_index === "number" ? group_index : null
      }
      const { steps } = prepare(sender, signature.tasks, withArgs(signature, args).args, place, link_error, path)
      const [last, ...others] = steps
      const todo = last === undefined ? [] : [Options.linked(last, "link", link, sender.spend), ...others]
      const first = todo.at(-1)
      if (first === undefined) return nothing
      // Reversed, as all chains on the wire: what this chain is a part of comes after it.
      const chain = [...list(rest["chain"]), ...todo.slice(0, -1).map(Signature.written)]
      return apply(sender, first, [], { ...rest, chain }, `${path}/0`)
    }
    case "chord":
      return applyChord(sender, signature, args, options, path)
  }
}

const applyGroup = (
  sender: Sender,
  group: Signature.Group,
  args: ReadonlyArray<unknown>,
  options: Signature.Options,
  path: string
): FollowUp => {
  const { chain, chord, group_index: _, link: __, link_error: ___, task_id, ...rest } = Options.merge(group.options, options)
  if (list(chain).length > 0) {
    // A producer turns a group that is followed by something into a chord. If it did not, each member would run the rest of the
    // chain.
    const body = Signature.read(list(chain).at(-1))
    if (Result.isFailure(body)) return cannot(sender, list(chain).at(-1), body.failure, `${path} rest`)
    const upgraded: Signature.Chord = { ...group, kind: "chord", header: group.tasks, body: body.success, options: { task_id } }
    return applyChord(sender, upgraded, args, { ...rest, chain: list(chain).slice(0, -1) }, path)
  }
  if (group.tasks.length === 0) return nothing
  const id = Text.nonEmptyOf(task_id) ?? derivedId(sender.seed, path)
  const root = Text.nonEmptyOf(rest["root_id"]) ?? null
  const members = Signature.flat(group.tasks).map((task, index) =>
    freeze(sender, task, { group: id, root, index }, `${path}.${index}`)
  )
  const shared = { ...rest, group_id: id, ...(chain === undefined ? {} : { chain }) }
  const sent = members.map(({ signature }, index) =>
    apply(
      sender,
      withArgs(signature, group.args),
      args,
      { ...shared, chord: chord ?? signature.options["chord"] },
      `${path}.${index}`
    )
  )
  const results = members.map(({ result }) => result)
  // Celery's special case: a group of one chain that ends in a group is that group.
  const only = results.length === 1 && results[0]!.children !== null ? results[0]! : undefined
  return { ...together(sent), children: [Reply.tuple(only ?? { id, parent: null, children: results })] }
}

const applyChord = (
  sender: Sender,
  chord: Signature.Chord,
  args: ReadonlyArray<unknown>,
  options: Signature.Options,
  path: string
): FollowUp => {
  const merged = { ...chord.options, ...options }
  const id = Text.nonEmptyOf(chord.options["task_id"]) ?? derivedId(sender.seed, `${path}.header`)
  const shared = Options.without(merged, "task_id")
  const unfrozen = { ...chord.body, options: { ...Options.merge(chord.body.options, options), ...shared } }
  const root = Text.nonEmptyOf(unfrozen.options["root_id"]) ?? null
  const body = freeze(sender, unfrozen, { id: Text.nonEmptyOf(merged["task_id"]) ?? null, root }, `${path}.body`).signature
  if (chord.header.length === 0) return apply(sender, body, [[]], {}, `${path}.body`)
  const frozen = freeze(
    sender,
    { kind: "group", tasks: chord.header, args: [], immutable: false, options: { task_id: id } },
    { group: id, chord: Signature.written(body), root },
    `${path}.header`
  )
  const header = Options.without(shared, "chain", "chord")
  const sent = apply(sender, frozen.signature, withArgs(chord, args).args, { ...header, task_id: id }, `${path}.header`)
  // Here and nowhere else: a group that ends a chain in a header has the header's id (stock then takes its size for the
  // header's, and may send the body too early).
  const tasks = frozen.signature.kind === "group" ? frozen.signature.tasks : []
  const size = tasks.reduce((sum, task) => sum + Signature.leaves(task), 0)
  // Only then does the body need the header's shape.
  const nested = frozen.result.children?.some(({ children }) => children !== null) ?? false
  return {
    ...sent,
    sizes: [...sent.sizes, { group: id, size }],
    groups: nested ? [...sent.groups, frozen.result] : sent.groups
  }
}

/** `signature` cannot run: gives every id in it that a client may wait for, or at least the id that it would have had. */
const cannot = (sender: Origin, signature: unknown, why: string, path: string): FollowUp => {
  const found = neverRun(signature)
  const tasks = found.length > 0 ? found : [{ id: derivedId(sender.seed, path), group: null, index: null, chord: null }]
  return {
    ...nothing,
    children: tasks.map(({ id }) => Reply.taskTuple(id)),
    impossible: tasks.map((task) => ({ task, why }))
  }
}

/**
 * The messages that `make` makes of `signatures`; if one of them is wrong, all of them fail with the reason. Nothing is thrown,
 * sent in part or skipped.
 */
export const orCannot = (
  origin: Origin,
  signatures: ReadonlyArray<unknown>,
  path: string,
  make: (sender: Sender) => FollowUp
): FollowUp => {
  try {
    return make({ ...origin, spend: budget() })
  } catch (error) {
    const why = `${path} cannot follow: ${error instanceof Error ? error.message : String(error)}`
    return together(signatures.map((signature, at) => cannot(origin, signature, why, `${path} ${at}`)))
  }
}

/** The same for a signature as it came. */
export const applyUnread = (
  sender: Sender,
  unread: unknown,
  args: ReadonlyArray<unknown>,
  options: Signature.Options,
  path: string
): FollowUp => {
  const signature = Signature.read(unread)
  if (Result.isSuccess(signature)) return apply(sender, signature.success, args, options, path)
  const why = `${path} cannot follow: ${signature.failure}`
  const rest = list(options["chain"]).flatMap(neverRun)
  const failed = cannot(sender, unread, why, path)
  return { ...failed, impossible: [...failed.impossible, ...rest.map((task) => ({ task, why }))] }
}
