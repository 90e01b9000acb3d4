import { Result, Schema } from "effect"
import * as PythonJson from "../../../wire/PythonJson.ts"
import { nullish } from "../../../wire/nullish.ts"
import * as Text from "../../../wire/Text.ts"

const Properties = Schema.Record(Schema.String, Schema.Unknown)
const List = Schema.Union([Schema.Array(Properties), Properties])
/** kombu sends a datetime as `{"__type__": "datetime", ...}` since 5.3, before that as its text. */
const Time = Schema.Union([Schema.String, Properties])

/** The options this worker acts on; all others travel on untouched. */
const Known = Schema.Struct({
  task_id: nullish(Schema.String),
  reply_to: nullish(Schema.String),
  root_id: nullish(Schema.String),
  parent_id: nullish(Schema.String),
  group_id: nullish(Schema.String),
  group_index: nullish(Schema.Int),
  queue: nullish(Schema.String),
  exchange: nullish(Schema.String),
  routing_key: nullish(Schema.String),
  compression: nullish(Schema.String),
  priority: nullish(Schema.Int),
  countdown: nullish(Schema.Finite),
  eta: nullish(Time),
  expires: nullish(Schema.Union([Schema.Finite, Time])),
  time_limit: nullish(Schema.Finite),
  soft_time_limit: nullish(Schema.Finite),
  retries: nullish(Schema.Natural),
  shadow: nullish(Schema.String),
  ignore_result: nullish(Schema.Boolean),
  replaced_task_nesting: nullish(Schema.Natural),
  headers: nullish(Properties),
  stamped_headers: nullish(Schema.Array(Schema.String)),
  link: nullish(List),
  link_error: nullish(List),
  chain: nullish(Schema.Array(Properties)),
  chord: nullish(Properties)
})
export type Known = typeof Known.Type
export const known: ReadonlyArray<string> = Object.keys(Known.fields)
export type Options = Readonly<Record<string, unknown>>

interface Common {
  readonly args: ReadonlyArray<unknown>
  readonly options: Options
  readonly immutable: boolean
}
export interface Call extends Common {
  readonly kind: "task"
  readonly task: string
  readonly kwargs: Options
  readonly subtask: string | null
}
export interface Group extends Common {
  readonly kind: "group"
  readonly tasks: ReadonlyArray<Signature>
}
export interface Chain extends Common {
  readonly kind: "chain"
  readonly tasks: ReadonlyArray<Signature>
}
export interface Chord extends Common {
  readonly kind: "chord"
  readonly header: ReadonlyArray<Signature>
  readonly body: Signature
}
/** A call to be made later, with everything inside it understood. */
export type Signature = Call | Group | Chain | Chord

const Wire = Schema.Struct({
  task: Schema.NonEmptyString,
  args: nullish(Schema.Array(Schema.Unknown)),
  kwargs: nullish(Properties),
  options: nullish(Properties),
  subtask_type: nullish(Schema.String),
  immutable: nullish(Schema.Boolean)
})
const decodeWire = Schema.decodeUnknownResult(Wire)
const problem = (error: { readonly message: string }) => Text.line(error.message, 300)

/** The content of an option, such as the signatures of a chain, stays as it came. */
const counted = (options: Options) =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, value instanceof PythonJson.Float ? value.value : value])
  )
const decodeOptions = Schema.decodeUnknownResult(Known)
export const checkOptions = (options: Options): Result.Result<Known, string> =>
  Result.mapError(decodeOptions(counted(options)), (error) => `its options: ${problem(error)}`)

const all = (values: unknown): Result.Result<ReadonlyArray<Signature>, string> =>
  Array.isArray(values) ? Result.all(values.map(read)) : Result.fail("it has no list of tasks")

const isRecord = (value: unknown): value is Options => typeof value === "object" && value !== null && !Array.isArray(value)
/** A header is a list, or one signature; of a group or chain its tasks count (Celery's `_maybe_group`). */
const headerTasks = (header: unknown): unknown => {
  if (!isRecord(header)) return header
  const kwargs = header["kwargs"]
  const several = header["subtask_type"] === "group" || header["subtask_type"] === "chain"
  return several && isRecord(kwargs) ? kwargs["tasks"] : [header]
}

/** Understands a signature as it came, or says why that cannot be done. */
export const read = (value: unknown): Result.Result<Signature, string> =>
  Result.gen(function* () {
    const wire = yield* Result.mapError(decodeWire(value), problem)
    const options = wire.options ?? {}
    yield* checkOptions(options)
    const common = { args: wire.args ?? [], options, immutable: wire.immutable ?? false }
    const kwargs = wire.kwargs ?? {}
    switch (wire.subtask_type ?? null) {
      case null:
      case "xmap":
      case "xstarmap":
      case "chunks":
        return { ...common, kind: "task", task: wire.task, kwargs, subtask: wire.subtask_type ?? null } as const
      case "group":
        return { ...common, kind: "group", tasks: yield* all(kwargs["tasks"]) } as const
      case "chain": {
        const tasks = yield* all(kwargs["tasks"])
        if (tasks.length === 0) return yield* Result.fail("it is a chain of nothing")
        return { ...common, kind: "chain", tasks } as const
      }
      case "chord":
        return {
          ...common,
          kind: "chord",
          header: yield* all(headerTasks(kwargs["header"])),
          body: yield* read(kwargs["body"])
        } as const
      default:
        return yield* Result.fail(`its subtask_type ${wire.subtask_type} is not known`)
    }
  })

/** The same as Celery writes it. */
export const written = (signature: Signature): Record<string, unknown> => {
  const { args, immutable, kind, options } = signature
  const as = (task: string, kwargs: Options, subtask_type: string | null) => ({
    task,
    args,
    kwargs,
    options,
    subtask_type,
    immutable
  })
  switch (kind) {
    case "task":
      return as(signature.task, signature.kwargs, signature.subtask)
    case "group":
    case "chain":
      return as(`celery.${kind}`, { tasks: signature.tasks.map(written) }, kind)
    case "chord":
      return as("celery.chord", { kwargs: {}, header: signature.header.map(written), body: written(signature.body) }, kind)
  }
}

/** How many tasks end before a chord with this in its header may go on: the last of a chain, the body of a chord. */
export const leaves = (signature: Signature): number => {
  switch (signature.kind) {
    case "task":
      return 1
    case "group":
      return signature.tasks.reduce((sum, task) => sum + leaves(task), 0)
    case "chain":
      return signature.tasks.map(leaves).findLast((size) => size > 0) ?? 0
    case "chord":
      return leaves(signature.body)
  }
}

/** Nested groups are one group. */
export const flat = (tasks: ReadonlyArray<Signature>): ReadonlyArray<Signature> =>
  tasks.flatMap((task) => (task.kind === "group" ? flat(task.tasks) : [task]))
