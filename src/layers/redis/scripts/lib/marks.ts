import { library } from "../script.ts"
import { clock } from "./clock.ts"

/**
 * How long a message has waited in its list, though nobody stamps it when it comes. At each heartbeat the newest message of a
 * list is marked with the time: what was claimed before a marked message had come before that time. A mark is a digest of the
 * message's end, where its tag is, the time, and how many messages had come by then. The count tells when the message of a mark
 * was taken by somebody else: the list is then shorter than what came after the mark, and the mark is removed.
 *
 * mark(list, marks, t): marks the newest message. came(raw, marks): when this message, which was just taken, had come at the
 * latest.
 */
export const marks = library({
  uses: [clock],
  lua: `
local function print_of(message) return redis.sha1hex(string.sub(message, -4096) .. #message) end
local function read_mark(mark)
  local at, count = string.match(mark, '^(%S+) ?(%d*)', 41)
  return string.sub(mark, 1, 40), tonumber(at), tonumber(count) or 0
end
local function mark(list, marks, t)
  local length, newest = redis.call('LLEN', list), redis.call('LINDEX', list, 0)
  if not newest then redis.call('DEL', marks) return end
  local print, last, count = print_of(newest), redis.call('LINDEX', marks, 0), 1
  if last then
    local before, _, had = read_mark(last)
    local came, bytes, other = 0, 0, newest
    -- Of a very long list not all is read: at least as many messages as were read have come.
    while other and print_of(other) ~= before and came < 1000 and bytes < 4194304 do
      came, bytes = came + 1, bytes + #other
      other = redis.call('LINDEX', list, came)
    end
    count = had + came
  end
  if not last or count > select(3, read_mark(last)) then redis.call('LPUSH', marks, print .. decimal(t) .. ' ' .. count) end
  for _ = 1, 1000 do
    local oldest = redis.call('LINDEX', marks, -1)
    if not oldest or count - select(3, read_mark(oldest)) < length then break end
    redis.call('RPOP', marks)
  end
end
local function came(raw, marks)
  local oldest = redis.call('LRANGE', marks, -100, -1)
  local print = #oldest > 0 and print_of(raw)
  for i = #oldest, 1, -1 do
    local marked, at = read_mark(oldest[i])
    if marked == print then
      redis.call('LTRIM', marks, 0, i - 2 - #oldest)
      return at
    end
  end
  return #oldest > 0 and select(2, read_mark(oldest[#oldest]))
end`
})
