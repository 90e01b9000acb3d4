import { Effect } from "effect"
import { spawn } from "node:child_process"
import { rmSync } from "node:fs"
import { afterAll, beforeAll } from "vitest"
import { bundle } from "../../servers/bundle.ts"
import { temporaryFolder } from "../../servers/Process.ts"

/** The program as it is delivered, started in a folder of its own. */
export const program = () => {
  const folder = temporaryFolder("program")
  let file: string
  beforeAll(async () => {
    file = await bundle()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** Starts it with these settings and no others, and with `input` to read; it is killed when the scope ends. */
  const start = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}, input = "") =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const began = performance.now()
        const child = spawn(process.execPath, [file, ...args], { env, cwd: folder, stdio: ["pipe", "pipe", "pipe"] })
        child.stdin.on("error", () => {}).end(input)
        const out = { stdout: "", stderr: "" }
        child.stdout.setEncoding("utf8").on("data", (text: string) => (out.stdout += text))
        child.stderr.setEncoding("utf8").on("data", (text: string) => (out.stderr += text))
        const ended = new Promise<{ readonly code: number | null; readonly ms: number }>((resolve) =>
          child.on("close", (code) => resolve({ code, ms: performance.now() - began }))
        )
        return { child, out, ended }
      }),
      ({ child, ended }) =>
        Effect.promise(() => {
          child.kill("SIGKILL")
          return ended
        })
    )

  /** Runs it to its end. */
  const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}, input = "") =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ended, out } = yield* start(args, env, input)
        return { ...(yield* Effect.promise(() => ended)), ...out }
      })
    )
  return { folder, run, start }
}
