import { Option, Schema } from "effect"
import * as PythonJson from "../../wire/PythonJson.ts"
import type { ChordPart, ResultTuple } from "../../services/ResultStore.ts"

/** A group's structure; with a suffix, the state of the chord it is the header of: `.j` parts, `.s` size, `.t` what was added. */
export const groupKey = (groupId: string, suffix: "" | ".j" | ".s" | ".t" = "") => `celery-taskset-meta-${groupId}${suffix}`

/** Python writes other characters than ASCII as escapes, so a member begins the same whichever worker wrote it. */
const pythonString = (value: string) =>
  JSON.stringify(value).replaceAll(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

export const memberOf = ({ result, status, taskId }: ChordPart) => {
  const prefix = `[1, ${pythonString(taskId)}, `
  return { prefix, member: `${prefix}${JSON.stringify(status)}, ${PythonJson.stringify(result)}]` }
}

const Member = Schema.Tuple([Schema.Int, Schema.String, Schema.String, Schema.Unknown])
const readMember = Schema.decodeUnknownOption(Member)
const parsed = (text: unknown): unknown => {
  try {
    return PythonJson.parse(String(text))
  } catch {
    return undefined
  }
}
/** A member that no worker would have written counts as a failed part: the chord fails with it instead of waiting for ever. */
export const readMembers = (found: ReadonlyArray<unknown>): ReadonlyArray<ChordPart> =>
  found.map((text) => {
    const member = Option.getOrUndefined(readMember(parsed(text)))
    if (member !== undefined) return { taskId: member[1], status: member[2], result: member[3] }
    const unreadable = { exc_type: "ValueError", exc_message: ["its part of the chord cannot be read"], exc_module: "builtins" }
    return { taskId: "unknown", status: "FAILURE", result: unreadable }
  })

const written = ({ children, id, parent }: ResultTuple): Schema.Json => [
  [id, parent === null ? null : written(parent)],
  children === null ? null : children.map(written)
]
/** `celery-taskset-meta-<id>`: the group's result tuple, which `GroupResult.restore` reads. */
export const groupDocument = (group: ResultTuple) => JSON.stringify({ result: written(group) })

type Written = readonly [string | readonly [string, Written | null], ReadonlyArray<Written> | null]
// Celery 5.2 and older may write the id alone, without its parent.
const Written: Schema.Codec<Written> = Schema.Tuple([
  Schema.Union([
    Schema.String,
    Schema.Tuple([Schema.String, Schema.NullOr(Schema.suspend((): Schema.Codec<Written> => Written))])
  ]),
  Schema.NullOr(Schema.Array(Schema.suspend((): Schema.Codec<Written> => Written)))
])
const read = ([node, children]: Written): ResultTuple => ({
  id: typeof node === "string" ? node : node[0],
  parent: typeof node === "string" || node[1] === null ? null : read(node[1]),
  children: children === null ? null : children.map(read)
})
const readDocument = Schema.decodeUnknownOption(Schema.Struct({ result: Written }))
/** Nothing for what is no group. */
export const readGroup = (text: string): Option.Option<ResultTuple> =>
  Option.map(readDocument(parsed(text)), ({ result }) => read(result))
