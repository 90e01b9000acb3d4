import { type Context, Deferred, Duration, Effect, Layer } from "effect"
import { writeSync } from "node:fs"
import * as Settings from "../../services/Settings.ts"
import { patience, reserve, Stop } from "../../services/Stop.ts"

/** sysexits' "try again later": what was held is taken up by another worker, or by this one's next life. */
export const OUT_OF_TIME = 75

/**
 * SIGTERM or SIGINT begins a stop; a second one, or a first SIGQUIT, ends its patience, and so does `SHUTDOWN_GRACE` but for
 * its last part. When all of it has passed the process ends, whatever still holds it. SIGHUP stops as SIGTERM does: Celery starts
 * itself again, here what started the worker does. SIGUSR1 and SIGUSR2 ask what it is doing, as Celery's SIGUSR1 does.
 */
export const layer = Layer.effect(
  Stop,
  Effect.gen(function* () {
    const { SHUTDOWN_GRACE } = yield* Settings.of("SHUTDOWN_GRACE")
    const hurry = yield* Deferred.make<void>()
    const timers = new Set<NodeJS.Timeout>()
    let deadline = Number.POSITIVE_INFINITY

    const after = (time: Duration.Duration, what: () => void) => timers.add(setTimeout(what, Duration.toMillis(time)).unref())
    /** Not by the logger: it may be what hangs. The message's lease has no more keeper, so it comes back by itself. */
    const giveUp = () => {
      const message = "not stopped in time: ending the process, what it held will be taken up again"
      writeSync(2, `${JSON.stringify({ level: "FATAL", message })}\n`)
      process.exit(OUT_OF_TIME)
    }
    const mustBeGoneIn = (time: Duration.Duration) => {
      const then = performance.now() + Duration.toMillis(time)
      if (then >= deadline) return
      deadline = then
      after(time, giveUp)
    }
    const hurryUp = () => {
      Deferred.doneUnsafe(hurry, Effect.void)
      mustBeGoneIn(reserve(SHUTDOWN_GRACE))
    }
    const begin = () => {
      if (deadline !== Number.POSITIVE_INFINITY) return
      mustBeGoneIn(SHUTDOWN_GRACE)
      after(patience(SHUTDOWN_GRACE), hurryUp)
    }

    let asked = 0
    const onTerm = () => (++asked > 1 ? hurryUp() : begin())
    const onQuit = () => {
      hurryUp()
      process.emit("SIGTERM")
    }
    const onHangUp = () => process.emit("SIGTERM")
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("SIGTERM", onTerm).on("SIGINT", onTerm).on("SIGQUIT", onQuit).on("SIGHUP", onHangUp)),
      (on) =>
        Effect.sync(() => {
          on.off("SIGTERM", onTerm).off("SIGINT", onTerm).off("SIGQUIT", onQuit).off("SIGHUP", onHangUp)
          for (const timer of timers) clearTimeout(timer)
        })
    )
    const whenAsked = (tell: Effect.Effect<void>) =>
      Effect.contextWith((context: Context.Context<never>) =>
        Effect.callback<never>(() => {
          const onAsked = () => void Effect.runForkWith(context)(tell)
          process.on("SIGUSR1", onAsked).on("SIGUSR2", onAsked)
          return Effect.sync(() => process.off("SIGUSR1", onAsked).off("SIGUSR2", onAsked))
        })
      )
    return { begin: Effect.sync(begin), hurry, left: () => deadline - performance.now(), whenAsked }
  })
)
