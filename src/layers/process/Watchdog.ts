import { Duration, Effect, Layer, Schedule } from "effect"
import { Worker } from "node:worker_threads"
import * as Settings from "../../services/Settings.ts"
import { Stop } from "../../services/Stop.ts"

/**
 * Runs in a thread of its own: no code on the main thread can keep it from looking. It cannot end a process that is PID 1
 * of its namespace (the kernel ignores the signal), hence the init in the container.
 */
const source = `
const { workerData: { shared, every } } = require("node:worker_threads")
const beat = new Int32Array(shared)
let last = Atomics.load(beat, 0), since = Date.now(), looked = since
for (;;) {
  Atomics.wait(beat, 1, 0, every)
  if (Atomics.load(beat, 1) === 1) break
  const now = Date.now(), n = Atomics.load(beat, 0)
  // If the watchdog itself was late, the whole process was frozen (a paused container): the main thread is not to blame.
  if (n !== last || now - looked > every * 4) { last = n; since = now }
  else if (now - since >= Atomics.load(beat, 2)) {
    require("node:fs").writeSync(2, JSON.stringify({ level: "FATAL", message: "event loop blocked: ending the process, its task will be redelivered", forMs: now - since }) + "\\n")
    process.kill(process.pid, "SIGKILL")
  }
  looked = now
}`

/**
 * The longest time between two beats, and their share of the limit where that is shorter (milliseconds): each wakes two threads.
 */
const EVERY = 1000
const SHARE = 8

/** A loop that is not blocked ends the process itself when a stop takes too long; the thread comes after it (milliseconds). */
const LATER = 1000

/**
 * Ends the process when its event loop stands still for `WATCHDOG_LIMIT`: the hard limit for code that blocks. Never longer
 * than `SHUTDOWN_GRACE`, nor than what is left of a stop: a blocked loop hears no signal and no timer.
 */
export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { SHUTDOWN_GRACE, WATCHDOG_LIMIT } = yield* Settings.of("SHUTDOWN_GRACE", "WATCHDOG_LIMIT")
    const stop = yield* Stop
    if (process.pid === 1)
      yield* Effect.logWarning(
        "running as PID 1: the watchdog cannot end this process. Start it under an init (docker: init: true)"
      )
    // A count of beats, whether to end, and how long to wait for the next beat (milliseconds).
    const beat = new Int32Array(new SharedArrayBuffer(12))
    const limit = Duration.toMillis(Duration.min(WATCHDOG_LIMIT, SHUTDOWN_GRACE))
    const every = Math.min(EVERY, limit / SHARE)
    const tick = Effect.sync(() => {
      Atomics.store(beat, 2, Math.max(0, Math.min(limit, stop.left() + LATER)))
      Atomics.add(beat, 0, 1)
    })
    yield* tick
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const worker = new Worker(source, {
          eval: true,
          execArgv: [],
          env: {},
          workerData: { shared: beat.buffer, every },
          resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 }
        })
        worker.unref()
      }),
      () =>
        Effect.sync(() => {
          Atomics.store(beat, 1, 1)
          Atomics.notify(beat, 1)
        })
    )
    yield* tick.pipe(Effect.repeat(Schedule.spaced(every)), Effect.forkScoped)
  })
)
