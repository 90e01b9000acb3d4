import { assert } from "@effect/vitest"
import { Effect, Result } from "effect"
import { explain } from "../../src/programs/explain.ts"
import * as Settings from "../../src/services/Settings.ts"
import type { Dice } from "../simulation/Dice.ts"
import { settings } from "../support.ts"
import { isPrintable } from "./checks.ts"
import { Hostile } from "./Hostile.ts"

const SECRET = "s3cret"
const secret: ReadonlyArray<string> = [
  `redis://:${SECRET}@10.1.0.4:6379/4`,
  `rediss://user:${SECRET}@[::1]:6380/15?ssl_cert_reqs=required&ssl_ca_certs=/x`,
  `sentinel://:${SECRET}@h1:26379;sentinel://h2:26380/4`,
  `redis+socket:///tmp/x.sock?virtual_host=3&password=${SECRET}`,
  `postgresql+psycopg2://user:${SECRET}@10.1.1.2:6432/db?sslmode=verify-full&sslrootcert=/x`,
  `id:${SECRET}`,
  SECRET
]
const open: ReadonlyArray<string> = [
  "https://host/x?y=z",
  "fal-ai/flux/dev",
  "celery@%h",
  "generator_queue,other",
  "Europe/Berlin",
  "4,1",
  "True",
  "0",
  "86400",
  "INFO"
]

/** Whatever the environment holds is read or named, in lines that hold no secret. */
export const settingsTarget = Effect.fnUntraced(function* (dice: Dice) {
  const hostile = new Hostile(dice)
  const value = (name: string) => {
    const isSecret = /URL$|BACKEND|KEY$|PASSWORD/.test(name) && name !== "FAL_BASE_URL"
    const good = dice.pick(isSecret ? [...secret, ...open] : open)
    // Of a URL in pieces nobody can tell which was the secret.
    if (dice.chance(0.4)) return hostile.garbled(good).replaceAll(SECRET, "other")
    const given = dice.pick([good, hostile.text()])
    return isSecret ? given : given.replaceAll(SECRET, "other")
  }
  const env = Object.fromEntries(Settings.names.filter(() => dice.chance(0.4)).map((name) => [name, value(name)]))
  const [checked, doubts] = yield* Effect.all([
    Effect.result(Settings.check(Settings.names)),
    Settings.doubts(Settings.names)
  ]).pipe(Effect.provide(settings(env)))
  const told = [...doubts, ...(Result.isFailure(checked) ? checked.failure.problems : [])]
  for (const line of told) {
    assert.match(line, /^[A-Z][A-Z_]+ /)
    assert.notInclude(line, SECRET)
    assert.isBelow(line.length, 1000, "a line about a setting is too long")
    assert.isTrue(isPrintable(line), "half a character in a line about a setting")
  }
  if (Result.isFailure(checked)) assert.isString(explain(checked.failure))
  else yield* Effect.asVoid(Settings.of(...Settings.names)).pipe(Effect.provide(settings(env)))
})
