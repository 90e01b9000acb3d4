import * as kombu from "../../../wire/kombu.ts"
import { nothing, script } from "./script.ts"
import { putBack } from "./lib/putBack.ts"
import { remember, toldArguments } from "./lib/remember.ts"

/**
 * Puts a held message back on its list; nothing where another worker holds it. `crash`: `alone` counts a crash of its task.
 * `generation` is what is known of its request (JSON, or null to remove it); undefined leaves what the message says.
 */
export const handBack = script({
  name: "mgHandBack",
  keys: { unacked: kombu.unacked, index: kombu.unackedIndex, held: kombu.held, scheduled: kombu.scheduled, lives: kombu.lives },
  args: { prefix: "text", fallback: "text", boot: "text", tag: "text", crash: "text", generation: "text?", ...toldArguments },
  uses: [putBack, remember],
  lua: `
if redis.call('HGET', held, tag) ~= boot then return 0 end
put_back(tag, crash, generation)
tell(task, told)
return 1`,
  answer: nothing
})
