import { Deferred, Duration, Effect, Schema } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { PicturesUnavailable } from "../../services/Pictures.ts"

/** How long the process may take to start. */
const START_LIMIT = Duration.seconds(20)

/** The process has ended, or was ended because it took too long. */
export class ProcessLost extends Schema.TaggedError<ProcessLost>()("ProcessLost", { detail: Schema.String }) {}

/** Beside the bundle each program is a bundle of its own, so that it does not load the worker. */
const isBundled = !import.meta.url.endsWith(".ts")
const pathOf = (name: string) => fileURLToPath(new URL(isBundled ? `${name}.mjs` : `${name}.ts`, import.meta.url))

/**
 * The programs are to be small, and have time. Code is interpreted, garbage is collected by the program itself after each order, and
 * what is freed goes back to the system at once. Without these a decoder takes 35 MB of its own, with them 18.
 */
const SMALL = {
  execArgv: [
    "--expose-gc",
    "--max-semi-space-size=1",
    // Node takes the types out of a .ts file by WebAssembly, which needs a compiler.
    ...(isBundled ? ["--jitless", "--no-expose-wasm"] : [])
  ],
  env: {
    MALLOC_ARENA_MAX: "1",
    MALLOC_MMAP_THRESHOLD_: "65536",
    MALLOC_TRIM_THRESHOLD_: "65536",
    UV_THREADPOOL_SIZE: "1",
    VIPS_CONCURRENCY: "1"
  }
}

/**
 * Runs one of the programs beside this file for as long as the scope lives. The program says `ready` when it has loaded what it
 * needs; then each numbered order has one answer. What it writes to its standard error says why it does not start.
 */
export const start = Effect.fnUntraced(function* <Order, Answer extends { readonly order: number }>(
  name: "decoder" | "signer",
  secrets: Readonly<Record<string, string>>
) {
  const ready = yield* Deferred.make<void, PicturesUnavailable>()
  const lost = yield* Deferred.make<never, ProcessLost>()
  const answers = new Map<number, (answer: Answer) => void>()
  let words = ""
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      fork(pathOf(name), [], {
        serialization: "advanced",
        execArgv: SMALL.execArgv,
        env: { ...SMALL.env, ...secrets },
        stdio: ["ignore", "ignore", "pipe", "ipc"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const end = (detail: string) => {
    Deferred.doneUnsafe(ready, Effect.fail(new PicturesUnavailable({ detail: words.trim() === "" ? detail : words.trim() })))
    Deferred.doneUnsafe(lost, Effect.fail(new ProcessLost({ detail })))
  }
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-1000)
  })
  child.on("error", ({ message }) => end(message))
  child.on("close", (code, signal) => end(`the ${name} ended with ${signal ?? `exit code ${code}`}`))
  child.on("message", (message: "ready" | Answer) => {
    if (message === "ready") Deferred.doneUnsafe(ready, Effect.void)
    else answers.get(message.order)?.(message)
  })
  yield* Deferred.await(ready).pipe(
    Effect.timeoutOrElse({
      duration: START_LIMIT,
      orElse: () =>
        Effect.fail(new PicturesUnavailable({ detail: `the ${name} did not start within ${Duration.format(START_LIMIT)}` }))
    })
  )
  let last = 0
  return (content: Omit<Order, "order">) =>
    Effect.callback<Answer>((resume) => {
      const order = ++last
      answers.set(order, (answer) => resume(Effect.succeed(answer)))
      child.send({ ...content, order }, (error) => error && end(error.message))
      return Effect.sync(() => answers.delete(order))
    }).pipe(Effect.raceFirst(Deferred.await(lost)))
})
