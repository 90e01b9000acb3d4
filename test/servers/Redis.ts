/** A redis-server of our own: append-only, no snapshots, many databases, so that each test can have one to itself. */
import { freePort, pathOf, type Server, start as startProcess, temporaryFolder, which } from "./Process.ts"

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisServer extends RedisAddress, Server {}

export const missing = () => (which("redis-server") === undefined ? "redis-server is not installed" : undefined)

/** A kill -9 of the worker loses nothing with either; of Redis itself nothing with "always". */
export const start = async (options: { readonly appendfsync?: "always" | "everysec" } = {}): Promise<RedisServer> => {
  const folder = temporaryFolder("redis")
  const address = { host: "127.0.0.1", port: await freePort() }
  const settings = {
    port: address.port,
    bind: address.host,
    dir: folder,
    save: "",
    appendonly: "yes",
    appendfsync: options.appendfsync ?? "everysec",
    databases: 4096,
    daemonize: "no",
    logfile: ""
  }
  const command = [pathOf("redis-server"), ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])]
  const server = await startProcess({ command, folder, ready: /Ready to accept connections/, stopSignal: "KILL" })
  return { ...address, ...server }
}
