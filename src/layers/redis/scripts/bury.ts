import * as kombu from "../../../wire/kombu.ts"
import { given, nothing, script } from "./script.ts"
import { holding } from "./lib/holding.ts"

/** Puts a letter among the dead letters, and ends the hold on its message; nothing where another worker holds it. */
export const bury = script({
  name: "mgBury",
  keys: { unacked: kombu.unacked, index: kombu.unackedIndex, held: kombu.held, dead: given },
  args: { boot: "text", tag: "text", letter: "text" },
  uses: [holding],
  lua: `
if redis.call('HGET', held, tag) ~= boot then return 0 end
redis.call('LPUSH', dead, letter)
release_hold(tag)
return 1`,
  answer: nothing
})
