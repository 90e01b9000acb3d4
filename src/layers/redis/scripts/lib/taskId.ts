import { library } from "../script.ts"
import { json } from "./json.ts"

/**
 * task_id(message): the id in its headers, nil where there is none that a client could ask for. id_if(message, needle, prefix): the
 * id, if it begins with `prefix`; `needle` is a text that such a message must have, for a quick look. outline(message): the
 * message without its body, '' where that is still too long to be shown.
 */
export const taskId = library({
  uses: [json],
  lua: `
local function task_id(message)
  local top = members(message)
  local headers = top and member(message, top, 'headers')
  local found = headers and members(headers)
  local id = found and member(headers, found, 'id')
  local readable, values = pcall(cjson.decode, '[' .. (id or '') .. ']')
  if readable and type(values[1]) == 'string' and #values[1] <= 4000 then return values[1] end
end
local function id_if(message, needle, prefix)
  local id = find(message, needle, 1, true) and task_id(message)
  return id and sub(id, 1, #prefix) == prefix and id or nil
end
local function outline(message)
  local short = put(message, 'body', '""') or ''
  return #short <= 65536 and short or ''
end`
})
