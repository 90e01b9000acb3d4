/** The two kinds of worker, as processes, and what they weigh. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const here = import.meta.dirname
const root = join(here, "..", "..")

export type Env = Readonly<Record<string, string>>
export interface Worker {
  readonly name: string
  readonly start: (env: Env) => ChildProcess
}

const options = (env: Env) => ({
  cwd: here,
  env: { ...process.env, ...env },
  stdio: "ignore" as const
})

export const ours: Worker = {
  name: "model-generator",
  start: (env) =>
    spawn(
      process.execPath,
      [join(root, "dist", "model-generator.mjs"), "worker"],
      options({ ...env, LOG_LEVEL: "error", MALLOC_ARENA_MAX: "1" }) // as in the image
    )
}
export const stock = (python: string, name: string, env: Env): Worker => ({
  name,
  start: (more) =>
    spawn(
      python,
      [
        "-m",
        "celery",
        "-A",
        "celery_app",
        "worker",
        "-c",
        "1",
        "-Q",
        "generator_queue",
        "-l",
        "critical",
        "--without-gossip",
        "--without-mingle"
      ],
      options({ ...more, ...env })
    )
})

export const stop = async (child: ChildProcess) => {
  const exited = once(child, "exit")
  child.kill("SIGTERM")
  await exited
}

export const childrenOf = (pid: number): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    try {
      const parent = Number(readFileSync(`/proc/${entry}/stat`, "utf8").split(") ")[1]!.split(" ")[1])
      return parent === pid ? [Number(entry), ...childrenOf(Number(entry))] : []
    } catch {
      return [] // it ended while we looked
    }
  })

/** Megabytes of a process and its children: PSS shares out what they have in common, RSS counts it for each. */
export const memory = (pid: number) => {
  const all = [pid, ...childrenOf(pid)].map((one) => readFileSync(`/proc/${one}/smaps_rollup`, "utf8"))
  const sum = (field: string) =>
    all.reduce((total, text) => total + Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0), 0) / 1024
  return { pss: sum("Pss"), rss: sum("Rss") }
}
