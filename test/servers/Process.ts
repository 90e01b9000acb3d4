/** One server process in its own temp folder, which ends with the test run however the run ends. */
import { spawn, spawnSync } from "node:child_process"
import { accessSync, constants, mkdtempSync, chownSync, existsSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

// A shell stands between us and the server and reads a pipe that only we hold: when we are gone, even by kill -9, the pipe
// closes, and the shell ends the server and removes its folder. A line on the pipe ends the server and keeps the folder.
const keeper = `
folder=$1 usual=$2; shift 2
: >>"$folder/log"
"$@" >>"$folder/log" 2>&1 & server=$!
echo "$server"
read -r signal || signal=
kill -"\${signal:-$usual}" "$server"; kill -CONT "$server"; wait "$server"
[ -n "$signal" ] || rm -rf "$folder"
` // CONT, because a server a test has stopped (SIGSTOP) hears no other signal

export type Signal = "TERM" | "KILL" | "INT"

export interface Server {
  /** The server's own process, to be stopped and continued: `process.kill(server.pid(), "SIGSTOP")`. */
  readonly pid: () => number
  /** Ends it, by default as `kill -9` would, and keeps its data. */
  readonly stop: (signal?: Signal) => Promise<void>
  /** Starts it again on the same port with the same data. */
  readonly start: () => Promise<void>
  /** Ends it and removes its folder. */
  readonly remove: () => Promise<void>
}

const entries = (folder: string) => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const isExecutable = (path: string) => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The full path of a program, also where Debian keeps PostgreSQL's; undefined when it is not installed. */
export const which = (program: string): string | undefined => {
  const debian = "/usr/lib/postgresql"
  const newestFirst = entries(debian).sort((a, b) => Number(b) - Number(a))
  const folders = [
    ...newestFirst.map((version) => join(debian, version, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin"
  ]
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

export const pathOf = (program: string): string => {
  const path = which(program)
  if (path === undefined) throw new Error(`${program} is not installed`)
  return path
}

const id = (flag: "-u" | "-g", user: string) => Number(spawnSync("id", [flag, user], { encoding: "utf8" }).stdout.trim() || "NaN")

/** PostgreSQL and PgBouncer refuse to run as root: the user they run as when we are root. */
export const unprivileged = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const user = ["postgres", "nobody"].find((name) => id("-u", name) > 0)
  return user === undefined ? undefined : { uid: id("-u", user), gid: id("-g", user) }
}

export const temporaryFolder = (name: string, owner?: { readonly uid: number; readonly gid: number }): string => {
  const folder = mkdtempSync(join(tmpdir(), `model-generator-${name}-`))
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  return folder
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))))
    })
  })

interface Options {
  readonly command: ReadonlyArray<string>
  readonly folder: string
  readonly ready: RegExp
  readonly stopSignal: Signal
  /** How long it may take to be ready (milliseconds, 15,000). */
  readonly patience?: number
  readonly as?: { readonly uid: number; readonly gid: number } | undefined
}

/** Starts a server and waits until its log says it is `ready`. The log, not the port: another's server may answer there. */
const launch = async (options: Options) => {
  const log = () => (existsSync(join(options.folder, "log")) ? readFileSync(join(options.folder, "log"), "utf8") : "")
  const before = log().length // now: it may be ready before we hear its process id
  const shell = spawn("sh", ["-c", keeper, "keeper", options.folder, options.stopSignal, ...options.command], {
    cwd: options.folder,
    stdio: ["pipe", "pipe", "ignore"],
    detached: true, // Ctrl-C in the terminal goes to us alone; the server ends in order, after its clients
    ...options.as
  })
  const ended = new Promise<void>((resolve) => shell.once("close", () => resolve()))
  shell.stdin.on("error", () => {})
  const pid = await new Promise<number>((resolve, reject) => {
    shell.once("error", reject)
    shell.stdout.once("data", (line) => resolve(Number(String(line).trim())))
  })
  const stop = (signal?: string) => {
    shell.stdin.end(signal === undefined ? undefined : `${signal}\n`)
    return ended
  }
  for (let waited = 0; waited < (options.patience ?? 15_000); waited += 20) {
    if (options.ready.test(log().slice(before))) return { pid, stop }
    await sleep(20)
  }
  const tail = log().slice(-2000)
  await stop()
  throw new Error(`${options.command[0]} did not start:\n${tail}`)
}

/** A server that is ready, and can be stopped and started as a test pleases. */
export const start = async (options: Options): Promise<Server> => {
  let current = await launch(options)
  let running = true
  const again = async () => {
    current = await launch(options)
    running = true
  }
  return {
    pid: () => current.pid,
    stop: async (signal = "KILL") => {
      running = false
      await current.stop(signal)
    },
    start: again,
    remove: async () => {
      if (running) await current.stop()
      else rmSync(options.folder, { recursive: true, force: true }) // the keeper, who would do it, has gone with the server
    }
  }
}
