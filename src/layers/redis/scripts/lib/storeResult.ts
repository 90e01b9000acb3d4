import { library } from "../script.ts"
import { json } from "./json.ts"

/**
 * store_result(key, document, seconds, status): keeps the document for so many seconds (0: for ever) and publishes it. A success
 * that is stored already stays, and what has ended is not followed by a state that has not. Raises what Redis refuses.
 */
export const storeResult = library({
  uses: [json],
  lua: `
local function stored_status(old)
  local readable, document = pcall(cjson.decode, old)
  if readable then return type(document) == 'table' and document.status end
  local top = members(old) -- cjson refuses what nests more than 1000 deep, as a result of Python's may
  return top and string.match(member(old, top, 'status') or '', '^"(.*)"$')
end
local function store_result(key, document, seconds, status)
  local function set(...)
    if seconds == 0 then return redis.call('SET', key, document, ...) end
    return redis.call('SET', key, document, 'EX', seconds, ...)
  end
  if not set('NX') then
    local before = stored_status(redis.call('GET', key))
    local ends = status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED'
    if before == 'SUCCESS' or (not ends and (before == 'FAILURE' or before == 'REVOKED')) then return end
    set()
  end
  redis.call('PUBLISH', key, document)
end`
})
