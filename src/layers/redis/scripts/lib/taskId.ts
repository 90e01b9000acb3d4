import { library } from "../script.ts"
import { json } from "./json.ts"

/** task_id(message): the id in its headers, nil where there is none that a client could ask for. */
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
end`
})
