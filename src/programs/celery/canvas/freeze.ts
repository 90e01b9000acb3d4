import type { ResultTuple } from "../../../services/ResultStore.ts"
import { derivedId } from "../../../wire/derivedId.ts"
import type { Spend } from "./budget.ts"
import * as Options from "./options.ts"
import * as Signature from "./Signature.ts"
import * as Text from "../../../wire/Text.ts"

/** Where ids come from that a signature does not bring: the same at every delivery. */
export interface Seed {
  readonly seed: string
  readonly replyTo: string
  readonly spend: Spend
}

export interface Place {
  readonly id?: string | null
  readonly group?: string | null
  readonly chord?: unknown
  readonly root?: string | null
  readonly parent?: string | null
  readonly index?: number | null
}
export interface Frozen {
  readonly signature: Signature.Signature
  readonly result: ResultTuple
}

const set = (given: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && value !== undefined))

/** `parent` becomes the parent of the first in this result's line that has none. */
const after = (result: ResultTuple, parent: ResultTuple): ResultTuple => ({
  ...result,
  parent: result.parent === null ? parent : after(result.parent, parent)
})

/** Gives everything in a signature its id and place, as Celery's `freeze` does; `path` tells it from others of the same seed. */
export const freeze = (seed: Seed, signature: Signature.Signature, place: Place, path: string): Frozen => {
  const { options } = signature
  switch (signature.kind) {
    case "task": {
      const id = Text.nonEmptyOf(options["task_id"]) ?? place.id ?? derivedId(seed.seed, path)
      const frozen = {
        ...options,
        task_id: id,
        ...set({ root_id: place.root, parent_id: place.parent, chord: place.chord, group_index: place.index }),
        reply_to: options["reply_to"] ?? seed.replyTo,
        ...set({ group_id: options["group_id"] ?? place.group })
      }
      return { signature: { ...signature, options: frozen }, result: { id, parent: null, children: null } }
    }
    case "group": {
      const id = Text.nonEmptyOf(options["task_id"]) ?? place.group ?? derivedId(seed.seed, path)
      const root = "root_id" in options ? Text.nonEmptyOf(options["root_id"]) : place.root
      const parent = "parent_id" in options ? Text.nonEmptyOf(options["parent_id"]) : place.parent
      const members = Signature.flat(signature.tasks).map((task, index) =>
        freeze(
          seed,
          task,
          {
            index,
            ...set({ group: place.group, chord: place.chord, root, parent })
          },
          `${path}.${index}`
        )
      )
      const frozen = {
        ...options,
        task_id: id,
        ...set({ group_id: place.group, chord: place.chord, group_index: place.index })
      }
      return {
        signature: { ...signature, tasks: members.map((member) => member.signature), options: frozen },
        result: { id, parent: null, children: members.map((member) => member.result) }
      }
    }
    case "chain": {
      const { result, steps } = prepare(seed, signature.tasks, signature.args, place, undefined, path)
      return { signature: { ...signature, args: [], tasks: steps.toReversed() }, result }
    }
    case "chord": {
      const body = freeze(seed, signature.body, { ...place, parent: null }, `${path}.body`)
      const id = Text.nonEmptyOf(options["task_id"]) ?? derivedId(seed.seed, `${path}.header`)
      const header = freeze(
        seed,
        { kind: "group", tasks: signature.header, args: [], immutable: false, options: { task_id: id } },
        set({ chord: Signature.written(body.signature), root: place.root, parent: place.parent }),
        `${path}.header`
      )
      // A group was frozen, and a group it is.
      const tasks = header.signature.kind === "group" ? header.signature.tasks : []
      return {
        signature: { ...signature, header: tasks, body: body.signature, options: { ...options, task_id: id } },
        result: after(body.result, header.result)
      }
    }
  }
}

/** Nested chains are part of the chain, a group of one is its task. */
const spliced = (tasks: ReadonlyArray<Signature.Signature>): ReadonlyArray<Signature.Signature> =>
  tasks.flatMap((task) => {
    const one = task.kind === "group" && task.tasks.length === 1 ? task.tasks[0]! : task
    if (one.kind !== "chain") return [one]
    const [first, ...rest] = spliced(one.tasks)
    return first === undefined ? [] : [withArgs(first, one.args), ...rest]
  })

export const withArgs = <S extends Signature.Signature>(signature: S, args: ReadonlyArray<unknown>): S =>
  signature.immutable || args.length === 0 ? signature : { ...signature, args: [...args, ...signature.args] }

/**
 * The steps of a chain, last one first, as Celery's `prepare_steps` makes them: a group with something after it is a chord. Only
 * the last step has the chain's own place.
 */
export const prepare = (
  seed: Seed,
  tasks: ReadonlyArray<Signature.Signature>,
  args: ReadonlyArray<unknown>,
  place: Place,
  errbacks: unknown,
  path: string
): { readonly steps: ReadonlyArray<Signature.Signature>; readonly result: ResultTuple } => {
  const all = spliced(tasks)
  const steps: Array<Frozen> = []
  for (let at = all.length - 1; at >= 0; at--) {
    let step = at === 0 ? withArgs(all[at]!, args) : all[at]!
    if (step.kind === "group" && steps.length > 0) {
      // Its arguments are the group's, whose members get them.
      const { args: partial, immutable, tasks: header } = step
      step = { kind: "chord", header, body: steps.pop()!.signature, args: partial, immutable, options: {} }
    }
    // The chain's place is the last step's; a chord made of it has it in its body already.
    const own = at === all.length - 1 ? place : set({ root: place.root })
    const frozen = freeze(seed, step, own, `${path}/${at}`)
    steps.push({ ...frozen, signature: Options.linked(frozen.signature, "link_error", errbacks, seed.spend) })
  }
  const [first, ...later] = steps.toReversed()
  const start = first?.result ?? { id: derivedId(seed.seed, path), parent: null, children: null }
  return {
    steps: steps.map((step) => step.signature),
    result: later.reduce((before, { result }) => after(result, before), start)
  }
}
