import { Option } from "effect"
import { type Buried, DeadLetters } from "../../services/DeadLetters.ts"
import { script } from "./connect.ts"
import * as kombu from "./kombu.ts"
import { restore } from "./restore.ts"
import { attempt, type Shared } from "./shared.ts"

/** What one page reads at most beyond its first letter, and the longest letter that a list shows whole (bytes). */
const BYTES = 16 * 1024 * 1024
const WHOLE = 16 * 1024

/** As `kombu.letterId`, for a script. */
const letterId = `
local function letter_id(letter) return string.sub(redis.sha1hex(string.sub(letter, -4096) .. #letter), 1, 10) end`

/**
 * KEYS dead letters; then, as `restore` needs it, ARGV prefix, queue, then where to begin, how many, how many bytes, and the longest
 * that is shown whole. Returns where to go on, or -1, then of each letter: id, where it lies from the end,
 * bytes, text. The text of a longer one is without the
 * message in it, or empty when it is the bare message.
 */
const page = `${restore}${letterId}
local at, left, out = tonumber(ARGV[3]), tonumber(ARGV[5]), {}
local last = at + ARGV[4]
while at < last and left > 0 do
  local letter = redis.call('LINDEX', KEYS[1], at)
  if not letter then at = -1 break end
  local shown = letter
  if #letter > tonumber(ARGV[6]) then
    shown = members(letter) and without(without(letter, 'raw'), 'raw_base64') or ''
    if #shown > tonumber(ARGV[6]) then shown = '' end
  end
  local from_end = redis.call('LLEN', KEYS[1]) - at
  for _, part in ipairs({ letter_id(letter), tostring(from_end), tostring(#letter), shown }) do out[#out + 1] = part end
  at, left = at + 1, left - #letter
end
if left < 0 then collectgarbage() end
return { at, unpack(out) }`

/**
 * KEYS dead letters. ARGV prefix, queue, id, where it lay from the end, then 'read', 'drop', 'requeue' or 'push' and what to push.
 * Letters are put in at the other end, so it lies there still or, where some behind it have gone, a little nearer to the end.
 * Returns the letter, or false when it is gone. A message goes back without what was held against it.
 */
const exhume = `${restore}${letterId}
local length, there = redis.call('LLEN', KEYS[1]), tonumber(ARGV[4])
local letter, at
for back = there, math.max(1, there - 1000), -1 do
  local candidate = back <= length and redis.call('LINDEX', KEYS[1], -back)
  if candidate and letter_id(candidate) == ARGV[3] then letter, at = candidate, -back break end
end
if not letter or ARGV[5] == 'read' then return letter or false end
if ARGV[5] ~= 'drop' then
  local message = ARGV[5] == 'push' and ARGV[6] or letter
  local top = members(message)
  local properties = top and member(message, top, 'properties')
  if properties and members(properties) then
    message = put(message, 'properties', without(without(properties, 'crashes'), 'suspect'))
  end
  redis.call('LPUSH', list_of(ARGV[2], priority_of(message)), message)
end
redis.call('LSET', KEYS[1], at, 'removed:' .. ARGV[3])
redis.call('LREM', KEYS[1], -1, 'removed:' .. ARGV[3])
return 1`

/** The dead letters of queues, which may be many and large. */
export const deadLetters = (shared: Shared) => {
  const { keyPrefix, redis } = shared
  const readPage = script(redis, "mgDeadPage", page)
  const take = script(redis, "mgExhume", exhume, "buffers")
  const on = (letter: Buried, ...doing: ReadonlyArray<string | Buffer>) =>
    take([kombu.dead(letter.queue)], [keyPrefix, letter.queue, letter.id, letter.at, ...doing])

  /** The newest letters of a queue, at most so many. */
  const list = async (queue: string, limit: number): Promise<ReadonlyArray<Buried>> => {
    const found: Array<Buried> = []
    for (let from = 0; from >= 0 && found.length < limit;) {
      const reply = await readPage(
        [kombu.dead(queue)],
        [keyPrefix, queue, from, Math.min(100, limit - found.length), BYTES, WHOLE]
      )
      const [next, ...parts] = reply as [number, ...ReadonlyArray<string>] // what the script returns
      for (let n = 0; n < parts.length; n += 4) {
        const [id, at, bytes, text] = parts.slice(n, n + 4) as [string, string, string, string] // four of each
        found.push({ id, queue, text, bytes: Number(bytes), at: Number(at) })
      }
      from = next
    }
    return found
  }
  /** The whole letter. */
  const read = async (letter: Buried): Promise<Buffer | undefined> => {
    const reply = await on(letter, "read")
    return Buffer.isBuffer(reply) ? reply : undefined
  }

  return DeadLetters.of({
    list: (limit) =>
      attempt("list dead letters", async () => {
        const found: Array<Buried> = []
        for (const queue of shared.queues) found.push(...(await list(queue, limit - found.length)))
        return found
      }),
    read: (letter) =>
      attempt("read a dead letter", async () =>
        Option.map(Option.fromNullishOr(await read(letter)), (bytes) => bytes.toString())
      ),
    redrive: (letter) =>
      attempt("redrive", async () => {
        const whole = letter.text === "" ? undefined : await read(letter)
        const message = whole === undefined ? undefined : kombu.inside(whole.toString())
        // The message in it, or the letter itself when it is a bare message.
        return (await (message === undefined ? on(letter, "requeue") : on(letter, "push", message))) === 1
      }),
    drop: (letter) => attempt("drop", async () => (await on(letter, "drop")) === 1)
  })
}
