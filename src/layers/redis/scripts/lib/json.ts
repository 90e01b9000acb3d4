import { library } from "../script.ts"

/**
 * How the scripts read and change a message: as text. `cjson` would write numbers and empty lists in another form, and would
 * build a table of a body that no script looks at; here a body is passed over at the speed of a search for its closing quote, and
 * bytes that are not UTF-8 stay what they are. A text that takes too many steps is given up, so that none blocks the server for
 * long.
 *
 * members(s): where the value of each key begins and ends, and where the object `s` itself ends; nil when it is no object.
 * put(s, key, value): the object with that member set, everything else as it was; nil when it is no object.
 * without(s, key): the object without that member.
 */
export const json = library({
  lua: `
local find, sub, byte = string.find, string.sub, string.byte
local steps = 0
local function string_end(s, at)
  local close, slash = at, nil
  repeat
    steps = steps + 1
    close = steps < 200000 and find(s, '"', close + 1, true)
    if not close then return nil end
    slash = close - 1
    while byte(s, slash) == 92 do slash, steps = slash - 1, steps + 0.1 end
  until (close - slash) % 2 == 1
  return close
end
local function value_end(s, at)
  local first = byte(s, at)
  if first == 34 then return string_end(s, at) end
  if first ~= 123 and first ~= 91 then
    local _, last = find(s, '^[%w%.+-]+', at)
    return last
  end
  local depth = 0
  while at and steps < 200000 do
    steps = steps + 1
    at = find(s, '[][{}"]', at)
    local found = at and byte(s, at)
    if found == 34 then at = string_end(s, at)
    elseif found == 123 or found == 91 then depth = depth + 1
    elseif found then depth = depth - 1 end
    if depth == 0 then return at end
    at = at and at + 1
  end
end
local function members(s)
  steps = 0
  local _, open = find(s, '^%s*{')
  local at = open and find(s, '%S', open + 1)
  if not at then return nil end
  local found, first = {}, true
  while true do
    local mark = byte(s, at)
    if mark == 125 then return find(s, '^%s*$', at + 1) and found, at end
    if not first then
      at = mark == 44 and find(s, '%S', at + 1)
      mark = at and byte(s, at)
    end
    local key_end = mark == 34 and string_end(s, at)
    local _, colon = find(s, '^%s*:%s*', (key_end or #s) + 1)
    local last = colon and value_end(s, colon + 1)
    if not last then return nil end
    local key = sub(s, at + 1, key_end - 1)
    if find(key, '\\\\', 1, true) then
      local readable, texts = pcall(cjson.decode, '["' .. key .. '"]')
      key = readable and texts[1] or key
    end
    found[key], first = { colon + 1, last, at }, false
    at = find(s, '%S', last + 1)
    if not at then return nil end
  end
end
local function member(s, found, key) return found[key] and sub(s, found[key][1], found[key][2]) end
local function put(s, key, value)
  local found, last = members(s)
  if not found then return nil end
  local old = found[key]
  if old then return sub(s, 1, old[1] - 1) .. value .. sub(s, old[2] + 1) end
  return sub(s, 1, last - 1) .. (next(found) and ',"' or '"') .. key .. '":' .. value .. sub(s, last)
end
local function without(s, key)
  local old = (members(s) or {})[key]
  if not old then return s end
  local before, after = sub(s, 1, old[3] - 1), sub(s, old[2] + 1)
  local rest, commas = string.gsub(after, '^%s*,', '', 1)
  return (commas == 1 and before or string.gsub(before, ',%s*$', '')) .. rest
end`
})
