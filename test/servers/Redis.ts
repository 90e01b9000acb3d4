/** A redis-server of our own: append-only, no snapshots, many databases, so that each test can have one to itself. */
import { freePort, pathOf, type Server, start as startProcess, temporaryFolder, which } from "./Process.ts"

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisServer extends RedisAddress {
  readonly process: () => Server
  /** Ends it, by default as kill -9 would; what it had acknowledged is in its append-only file. */
  readonly stop: (signal?: "TERM" | "KILL") => Promise<void>
  /** Starts it again on the same port with the same data. */
  readonly start: () => Promise<void>
  /** Ends it and removes its data. */
  readonly remove: () => Promise<void>
}

export const missing = () => (which("redis-server") === undefined ? "redis-server is not installed" : undefined)

export const start = async (): Promise<RedisServer> => {
  const folder = temporaryFolder("redis")
  const host = "127.0.0.1"
  const port = await freePort()
  const settings = {
    port,
    bind: host,
    dir: folder,
    save: "",
    appendonly: "yes",
    appendfsync: "everysec", // a kill -9 loses nothing written; only a power cut would
    databases: 4096,
    daemonize: "no",
    logfile: ""
  }
  const command = [pathOf("redis-server"), ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])]
  const launch = () => startProcess({ command, folder, ready: /Ready to accept connections/, stopSignal: "KILL" })
  let server = await launch()
  let running = true
  return {
    host,
    port,
    process: () => server,
    stop: async (signal = "KILL") => {
      running = false
      await server.stop(signal)
    },
    start: async () => {
      server = await launch()
      running = true
    },
    remove: async () => {
      if (!running) server = await launch() // only a running keeper removes the folder
      await server.stop()
    }
  }
}
