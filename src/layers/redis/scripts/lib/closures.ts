import { library } from "../script.ts"
import { clock } from "./clock.ts"

/**
 * read_closure(raw): an endpoint's closure, nil where there is none or it is not as we write it. `till` is the server's time in
 * seconds, `pause` how long it was closed for.
 */
export const closures = library({
  uses: [clock],
  lua: `
local function read_closure(raw)
  local good, entry = pcall(cjson.decode, raw or '')
  if good and type(entry) == 'table' and type(entry.till) == 'number' and type(entry.pause) == 'number' then return entry end
end`
})
