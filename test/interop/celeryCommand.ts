/** The `celery` command and Flower as an operator starts them. */
import { Deferred, Effect } from "effect"
import { spawn } from "node:child_process"
import { eventually } from "../support.ts"
import type { makeStage } from "./stage.ts"

export type Stage = Effect.Success<ReturnType<typeof makeStage>>
/** Where a command of Celery's looks; `celery` are settings of app.py. */
type Scene = Pick<Stage, "broker" | "backend"> & { readonly celery?: Readonly<Record<string, string>> }

interface Printed {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A command of Celery's that goes on until the scope ends or it is signalled. */
export const startCelery = Effect.fnUntraced(function* (
  python: string,
  stage: Scene,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
) {
  const ended = yield* Deferred.make<Printed>()
  const printed = { out: "", err: "" }
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(python, ["-m", "celery", "-A", "app", ...args], {
        cwd: import.meta.dirname,
        env: {
          PATH: process.env["PATH"],
          LC_ALL: "C.UTF-8",
          PYTHONUNBUFFERED: "1",
          PYTHONDONTWRITEBYTECODE: "1",
          FLOWER_UNAUTHENTICATED_API: "true",
          BROKER: stage.broker.url,
          BACKEND: stage.backend.url,
          ...stage.celery,
          ...env
        },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true // a worker has children: all of them end together
      })
      child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.out += text))
      child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.err += text))
      child.once("close", (code) => Deferred.doneUnsafe(ended, Effect.succeed({ code, ...printed })))
      return child
    }),
    (child) =>
      Effect.suspend(() => {
        try {
          process.kill(-child.pid!, "SIGKILL")
        } catch {
          // ended by itself
        }
        return Deferred.await(ended)
      })
  )
  return {
    pid: child.pid!,
    ended: Deferred.await(ended),
    printed: Effect.sync(() => `${printed.out}\n${printed.err}`),
    /** To the process and its children. */
    signal: (name: NodeJS.Signals) => Effect.sync(() => process.kill(-child.pid!, name))
  }
})

/** A stock worker that takes tasks. */
export const startStock = Effect.fnUntraced(function* (
  python: string,
  stage: Pick<Stage, "broker" | "backend">,
  env: Readonly<Record<string, string>> = {}
) {
  const args = ["worker", "-n", "stock@host", "-c", "1", "-l", "INFO"]
  const stock = yield* startCelery(python, stage, args, { C_FORCE_ROOT: "1", ...env })
  yield* eventually("the stock worker is ready", stock.printed, (log) => / ready\./.test(log))
  return stock
})

/** One command to its end. */
export const celery = (python: string, stage: Scene, ...args: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(startCelery(python, stage, args), ({ ended }) => ended))
