import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { OUT_OF_TIME } from "../../src/layers/process/StopSignals.ts"
import { describeWith, ownRedis } from "../servers/index.ts"
import { temporaryFolder } from "../servers/Process.ts"
import { eventually, timed } from "../support.ts"
import { ask, inFlight, paidAndSaved, type Stage } from "./pictures.ts"
import { makeStage, nothing } from "./stage.ts"

/** What signalling and ending a process may take on a busy machine, beside the time it has (milliseconds). */
const BUSY = 2000

const blockWhenTold = ["--import", join(import.meta.dirname, "blockWhenTold.ts")]

/** What the next worker will find of the one message there is. */
const waiting = (stage: Stage) =>
  Effect.map(
    Effect.promise(() => stage.raw.broker.lindex("generator_queue", 0)),
    (raw) => {
      const { headers, properties } = JSON.parse(raw!) as { headers: { retries: number }; properties: { crashes?: number } } // ours
      return { retries: headers.retries, crashes: properties.crashes ?? 0 }
    }
  )

describeWith(["redis", "postgres"], "a worker told to stop is gone within SHUTDOWN_GRACE", ({ postgres, redis }) => {
  it.live(
    "with a picture that takes longer: it is handed over, no retry and no crash is counted, and the next one resumes it",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ postgres, redis }, { pictureSeconds: 14 })
        const worker = yield* stage.start({ SHUTDOWN_GRACE: "8" })
        const id = yield* inFlight(stage)
        const before = Date.now()
        yield* worker.signal("SIGTERM")
        assert.deepStrictEqual(yield* worker.exited, { code: 0, signal: null })
        assert.isBelow(Date.now() - before, 8000)
        assert.isAbove(Date.now() - before, 5900) // it had its time to finish
        assert.deepStrictEqual(yield* stage.left, { ...nothing, queued: 1 })
        assert.deepStrictEqual(yield* waiting(stage), { retries: 0, crashes: 0 })
        yield* stage.start()
        assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
        yield* paidAndSaved(stage, 1)
      }),
    timed(60_000)
  )

  for (const signals of [["SIGTERM"], ["SIGTERM", "SIGTERM"]] as const) {
    it.live(
      `with a picture in hand and Redis frozen (${signals.join(", ")}): the next one resumes it`,
      () =>
        Effect.gen(function* () {
          const own = yield* ownRedis
          const stage = yield* makeStage({ postgres, redis: own }, { pictureSeconds: 12 })
          const worker = yield* stage.start({ SHUTDOWN_GRACE: "8" })
          const id = yield* inFlight(stage)
          process.kill(own.pid(), "SIGSTOP")
          const before = Date.now()
          for (const signal of signals) {
            yield* worker.signal(signal)
            yield* Effect.sleep("200 millis")
          }
          const { code } = yield* worker.exited
          assert.include([0, OUT_OF_TIME], code)
          assert.isBelow(Date.now() - before, (signals.length === 1 ? 8000 : 2000) + BUSY)
          process.kill(own.pid(), "SIGCONT")
          yield* stage.start()
          assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
          yield* paidAndSaved(stage, 1)
        }),
      timed(60_000)
    )
  }

  it.live(
    "held by what cannot be interrupted: it says so, exits 75, and leaves the message where it is found",
    () =>
      Effect.gen(function* () {
        const stage = yield* makeStage({ postgres, redis })
        yield* stage.fal.setFaults({ route: "submit", kind: "hang" }) // the answer to a submit is never given up by a stop
        const worker = yield* stage.start({ SHUTDOWN_GRACE: "3" })
        yield* stage.push(ask("hung"))
        yield* eventually("it submits", stage.fal.calls, ({ submit }) => submit === 1)
        const before = Date.now()
        yield* worker.signal("SIGTERM")
        assert.deepStrictEqual(yield* worker.exited, { code: OUT_OF_TIME, signal: null })
        assert.isBelow(Date.now() - before, 3000 + BUSY)
        assert.include(yield* worker.output, "not stopped in time")
        assert.deepInclude(yield* stage.left, { unacked: 1 }) // where stock Celery would find it
      }),
    timed(60_000)
  )

  for (const when of ["before", "after"] as const) {
    it.live(
      `with its event loop blocked ${when} the signal`,
      () =>
        Effect.gen(function* () {
          const stage = yield* makeStage({ postgres, redis }, { pictureSeconds: 4 })
          const switchFile = join(temporaryFolder("block"), "block-now")
          const worker = yield* stage.start({ SHUTDOWN_GRACE: "3", BLOCK_WHEN: switchFile }, blockWhenTold)
          const id = yield* inFlight(stage)
          const block = Effect.sync(() => writeFileSync(switchFile, ""))
          const before = Date.now()
          if (when === "before") yield* Effect.andThen(block, Effect.sleep("300 millis"))
          yield* worker.signal("SIGTERM")
          if (when === "after") yield* Effect.andThen(Effect.sleep("600 millis"), block)
          assert.strictEqual((yield* worker.exited).signal, "SIGKILL")
          assert.isBelow(Date.now() - before, 4000 + BUSY) // the watchdog comes a second after the grace
          yield* stage.start()
          assert.strictEqual((yield* stage.final(id))?.status, "SUCCESS")
          yield* paidAndSaved(stage, 1)
        }),
      timed(60_000)
    )
  }
})
