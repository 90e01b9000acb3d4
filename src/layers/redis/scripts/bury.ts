import * as kombu from "../../../wire/kombu.ts"
import { given, nothing, script } from "./script.ts"
import { holding } from "./lib/holding.ts"
import { remember, toldArguments } from "./lib/remember.ts"

/** Puts a letter among the dead letters, and ends the hold on its message; nothing where another worker holds it. */
export const bury = script({
  name: "mgBury",
  keys: { unacked: kombu.unacked, index: kombu.unackedIndex, held: kombu.held, dead: given, lives: kombu.lives },
  args: { boot: "text", tag: "text", letter: "text", ...toldArguments },
  uses: [holding, remember],
  lua: `
if redis.call('HGET', held, tag) ~= boot then return 0 end
redis.call('LPUSH', dead, letter)
release_hold(tag)
tell(task, told)
return 1`,
  answer: nothing
})
