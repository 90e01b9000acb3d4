import type { Extended } from "../Reply.ts"
import * as Text from "../../../wire/Text.ts"

/** A task in its place in a canvas: someone may wait for it, or for the chord it is a part of. */
export interface Part {
  readonly id: string
  readonly group: string | null
  readonly index: number | null
  readonly chord: unknown
}

/** A task that will never run. */
export interface NeverRun extends Part {
  /** As which task, and with what, it would have run. */
  readonly call: Extended
}

type Properties = Readonly<Record<string, unknown>>
const record = (value: unknown): Properties =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {} // own keys only
const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const inner = (signature: unknown) => {
  const { args, kwargs, options, subtask_type: kind, task: name } = record(signature)
  return { name, args, kind, kwargs: record(kwargs), options: record(options) }
}
const headerOf = (header: unknown) => (Array.isArray(header) ? header : list(inner(header).kwargs["tasks"]))

/** Every task of a signature that cannot be applied, with what was to come after it. Looks as deep as it can understand. */
export const neverRun = (signature: unknown): ReadonlyArray<NeverRun> => {
  const { args, kind, kwargs, name, options } = inner(signature)
  const rest = list(options["chain"]).toReversed().flatMap(neverRun)
  switch (kind) {
    case "group":
    case "chain":
      return [...list(kwargs["tasks"]).flatMap(neverRun), ...rest]
    case "chord":
      // The body fails itself, so the header need not be counted for it.
      return [
        ...headerOf(kwargs["header"])
          .flatMap(neverRun)
          .map((task) => ({ ...task, chord: null })),
        ...neverRun(kwargs["body"]),
        ...rest
      ]
    default: {
      const id = Text.nonEmptyOf(options["task_id"]) ?? null
      if (id === null) return rest
      const index = options["group_index"]
      const chord = options["chord"]
      return [
        {
          id,
          group: Text.nonEmptyOf(options["group_id"]) ?? null,
          index: typeof index === "number" && Number.isInteger(index) ? index : null,
          chord: chord === undefined ? null : chord,
          call: { name: name ?? null, args: args ?? null, kwargs, worker: null, retries: options["retries"] ?? 0, queue: null }
        },
        ...rest
      ]
    }
  }
}

/** The errbacks of the tasks that a signature would have started with: they are told that it failed before it started. */
export const errbacksOf = (
  signature: unknown
): ReadonlyArray<{ readonly id: string; readonly errbacks: ReadonlyArray<unknown> }> => {
  const { kind, kwargs, options } = inner(signature)
  const own = options["link_error"]
  const errbacks = Array.isArray(own) ? own : own === null || own === undefined ? [] : [own]
  switch (kind) {
    case "group":
      return list(kwargs["tasks"]).flatMap(errbacksOf)
    case "chain":
      return errbacksOf(list(kwargs["tasks"])[0]).map((one) => ({ ...one, errbacks: [...one.errbacks, ...errbacks] }))
    case "chord":
      return errbacksOf(kwargs["body"])
    default: {
      const id = Text.nonEmptyOf(options["task_id"]) ?? null
      return id === null ? [] : [{ id, errbacks }]
    }
  }
}
