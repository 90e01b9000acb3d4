import { library } from "../script.ts"

/**
 * Times are the server's own, in seconds, so that workers with different clocks agree. `decimal` keeps the fraction of a number,
 * which Lua's own conversion to text cuts.
 */
export const clock = library({
  lua: `
local function now() local t = redis.call('TIME') return tonumber(t[1]) + tonumber(t[2]) / 1000000 end
local function decimal(number) return string.format('%.6f', number) end`
})
