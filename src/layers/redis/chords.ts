import { Option, Schema } from "effect"
import * as PythonJson from "../../services/PythonJson.ts"
import type { ChordPart, ResultTuple } from "../../services/ResultStore.ts"

/** A group's structure; with a suffix, the state of the chord it is the header of: `.j` parts, `.s` size, `.t` what was added. */
export const groupKey = (groupId: string, suffix: "" | ".j" | ".s" | ".t" = "") => `celery-taskset-meta-${groupId}${suffix}`

/**
 * Stock's pipeline for a chord part (celery-wire 4.7) as one step. KEYS .j, .t, .s. ARGV place in the header, member, how each
 * member of this task begins, seconds to keep it (0: for ever), whether parts are kept in the order of the header ('1') or of
 * their ends ('0'); parts that are there already have decided it. Returns the members when none is missing any more.
 */
export const addPart = `
local kind = redis.call('TYPE', KEYS[1]).ok
local list = kind == 'list' or (kind == 'none' and ARGV[5] == '0')
local function all(from, to) return list and redis.call('LRANGE', KEYS[1], 0, -1) or redis.call('ZRANGEBYSCORE', KEYS[1], from, to) end
local known = false
for _, old in ipairs(all(ARGV[1], ARGV[1])) do
  if string.sub(old, 1, #ARGV[3]) == ARGV[3] then
    -- delivered twice: it counts once, and its success stays
    if string.sub(old, #ARGV[3] + 1, #ARGV[3] + 9) == '"SUCCESS"' then known = true
    elseif list then redis.call('LREM', KEYS[1], 1, old)
    else redis.call('ZREM', KEYS[1], old) end
  end
end
if not known and list then redis.call('RPUSH', KEYS[1], ARGV[2]) end
if not known and not list then redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2]) end
if ARGV[4] ~= '0' then for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[4]) end end
local size = tonumber(redis.call('GET', KEYS[3]) or '')
local count = redis.call(list and 'LLEN' or 'ZCARD', KEYS[1])
if not size or count < size + (tonumber(redis.call('GET', KEYS[2]) or '') or 0) then return false end
return all('-inf', '+inf')`

/** Python writes what is not ASCII as escapes, so the same id begins the same member whoever wrote it. */
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
/** What no worker would have written counts as a failed part: the chord fails with it, instead of waiting for ever. */
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
/** `celery-taskset-meta-<id>` (celery-wire 4.4): the group's result tuple, which `GroupResult.restore` reads. */
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
