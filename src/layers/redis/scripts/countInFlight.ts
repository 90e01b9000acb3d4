import * as kombu from "../../../wire/kombu.ts"
import { script } from "./script.ts"
import { clock } from "./lib/clock.ts"

/** How many requests of the fleet the provider may be working on. */
export const countInFlight = script({
  name: "mgInFlight",
  keys: { open: kombu.inFlight },
  uses: [clock],
  lua: `
return redis.call('ZCOUNT', open, '(' .. decimal(now()), '+inf')`,
  answer: Number
})
