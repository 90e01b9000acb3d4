/** Processes that are measured: how they are started and ended, and what they weigh. Linux only. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"

export type Env = Readonly<Record<string, string>>

const running = new Set<ChildProcess>()

const kill = (child: ChildProcess) => {
  try {
    process.kill(-child.pid!, "SIGKILL") // its group: also those that it started
  } catch {
    // it has ended
  }
}
process.on("exit", () => running.forEach(kill))
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1))

export const start = async (command: ReadonlyArray<string>, cwd: string, env: Env): Promise<ChildProcess> => {
  const [program = "", ...args] = command
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: "ignore", detached: true })
  await once(child, "spawn")
  running.add(child)
  return child
}

/** Kills a process and its children. What it leaves in Redis is removed before the next worker starts. */
export const end = async (child: ChildProcess) => {
  const exited = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined
  kill(child)
  await exited
  running.delete(child)
}

const childrenOf = (pid: number): ReadonlyArray<number> =>
  readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    try {
      const parent = Number(readFileSync(`/proc/${entry}/stat`, "utf8").split(") ")[1]!.split(" ")[1])
      return parent === pid ? [Number(entry), ...childrenOf(Number(entry))] : []
    } catch {
      return [] // it ended while we looked
    }
  })

/** A worker's own process and all below it. */
export const family = (child: ChildProcess): ReadonlyArray<number> => [child.pid!, ...childrenOf(child.pid!)]

export const signal = (pids: ReadonlyArray<number>, name: "SIGSTOP" | "SIGCONT") => {
  for (const pid of pids) process.kill(pid, name)
}

/** Megabytes, with pages that several processes share counted in parts. */
export const proportionalMemory = (pids: ReadonlyArray<number>): number =>
  pids.reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0), 0) /
  1024

/** Seconds on a processor so far, of all threads that live. By the scheduler's nanoseconds: a tick of `stat` is 10 ms. */
export const processorSeconds = (pids: ReadonlyArray<number>): number =>
  pids
    .flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`))
    .reduce((sum, path) => sum + Number(readFileSync(path, "utf8").split(" ")[0]), 0) / 1e9

/** Busy ticks and all ticks of all cores since the machine started. */
const ticks = () => {
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, ...rest] = readFileSync("/proc/stat", "utf8")
    .split("\n")[0]!
    .split(/\s+/)
    .slice(1, 9)
    .map(Number)
  const busy = user + nice + system + rest.reduce((sum, one) => sum + one, 0)
  return { busy, all: busy + idle + wait }
}

/** The share of all cores that was busy while `wait` passed. */
export const busyDuring = async (wait: () => Promise<unknown>): Promise<number> => {
  const before = ticks()
  await wait()
  const after = ticks()
  return (after.busy - before.busy) / (after.all - before.all)
}
