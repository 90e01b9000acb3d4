import { library } from "../script.ts"

/** letter_id(letter): as `kombu.letterId`. */
export const letterId = library({
  lua: `
local function letter_id(letter) return string.sub(redis.sha1hex(string.sub(letter, -4096) .. #letter), 1, 10) end`
})
