/** A redis-server of our own: append-only, no snapshots. */
import { freePort, pathOf, type Server, start as startProcess, temporaryFolder, which } from "./Process.ts"

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisServer extends RedisAddress, Server {}

export const missing = () => (which("redis-server") === undefined ? "redis-server is not installed" : undefined)

export interface Options {
  /** A kill -9 of the worker loses nothing with either; of Redis itself nothing with "always". */
  readonly appendfsync?: "always" | "everysec"
  /** As many as Redis has by itself, where a test does not want others. */
  readonly databases?: number
  /** More of redis.conf. */
  readonly more?: Readonly<Record<string, string>>
}

export const start = async (options: Options = {}): Promise<RedisServer> => {
  const folder = temporaryFolder("redis")
  const address = { host: "127.0.0.1", port: await freePort() }
  const settings = {
    port: address.port,
    bind: address.host,
    dir: folder,
    save: "",
    appendonly: "yes",
    appendfsync: options.appendfsync ?? "everysec",
    databases: options.databases ?? 16,
    daemonize: "no",
    logfile: "",
    // A replica that needs the whole copy gets it at once; by itself a master waits 5 s for more replicas to ask.
    "repl-diskless-sync-delay": 0,
    ...options.more
  }
  const command = [pathOf("redis-server"), ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])]
  const server = await startProcess({ command, folder, ready: /Ready to accept connections/, stopSignal: "KILL" })
  return { ...address, ...server }
}
