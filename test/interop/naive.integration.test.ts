import { assert, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { describeWith } from "../servers/index.ts"
import { eventually, message } from "../support.ts"
import { startCelery } from "./celeryCommand.ts"
import { makeStage } from "./stage.ts"

const MINUTE = 60_000
/** A moment as its clocks show it, without saying whose: UTC's, or Berlin's. */
const naive = (at: number) => new Date(at).toISOString().slice(0, 19)
const inBerlin = (at: number) => new Date(at).toLocaleString("sv-SE", { timeZone: "Europe/Berlin" }).replace(" ", "T") // Sweden writes ISO 8601

type Stage = Effect.Success<ReturnType<typeof makeStage>>
/** What becomes of tasks that expire in a minute by UTC's clocks, and expired a minute ago by Berlin's. */
const outcomes = Effect.fnUntraced(function* (stage: Stage) {
  const now = yield* Clock.currentTimeMillis
  const states: Array<string | undefined> = []
  for (const [id, expires] of [
    ["by UTC in a minute", naive(now + MINUTE)],
    ["by Berlin a minute ago", inBerlin(now - MINUTE)]
  ] as const) {
    yield* stage.push(message({ id, task: "health_check", expires }))
    const document = yield* eventually(`${id} has ended`, stage.result(id), (found) => found !== undefined)
    states.push(document?.status)
  }
  return states
})
const readAsUtc = ["SUCCESS", "SUCCESS"]
const readAsBerlin = ["REVOKED", "REVOKED"]

for (const client of ["celery53", "celery56"] as const) {
  describeWith(["redis", "postgres", client], `a time without an offset (${client})`, (servers) => {
    for (const utc of ["1", "0"])
      it.live(
        `is UTC to a stock worker of Berlin, with enable_utc ${utc === "1"}`,
        () =>
          Effect.gen(function* () {
            const stage = yield* makeStage(servers)
            const env = { C_FORCE_ROOT: "1", APP_TIMEZONE: "Europe/Berlin", ENABLE_UTC: utc }
            const args = ["worker", "-P", "solo", "-l", "INFO", "--without-mingle", "--without-gossip"]
            const stock = yield* startCelery(servers[client].python, stage, args, env)
            yield* eventually("the stock worker is ready", stock.printed, (log) => / ready\./.test(log))
            assert.deepStrictEqual(yield* outcomes(stage), readAsUtc)
          }),
        60_000
      )
  })
}

describeWith(["redis", "postgres"], "a time without an offset", (servers) => {
  it.live(
    "is UTC to ours too, and Berlin's where TIMEZONE says so",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage(servers)
        yield* stage.start()
        assert.deepStrictEqual(yield* outcomes(stage), readAsUtc)
        const berlin = yield* makeStage(servers)
        yield* berlin.start({ TIMEZONE: "Europe/Berlin" })
        assert.deepStrictEqual(yield* outcomes(berlin), readAsBerlin)
      }),
    60_000
  )
})
