/** A sentinel of our own. */
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort, pathOf, start, temporaryFolder } from "./Process.ts"

/**
 * Watches the master at `port` under the name `mymaster` for as long as its scope lives. A server that does not answer for
 * `patience` milliseconds is down.
 */
export const sentinelOf = (port: number, patience = 1000) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = temporaryFolder("sentinel")
      const own = await freePort()
      const settings = [
        `port ${own}`,
        `dir ${folder}`,
        `sentinel monitor mymaster 127.0.0.1 ${port} 1`,
        `sentinel down-after-milliseconds mymaster ${patience}`,
        "sentinel failover-timeout mymaster 5000"
      ]
      writeFileSync(join(folder, "sentinel.conf"), `${settings.join("\n")}\n`)
      const command = [pathOf("redis-server"), join(folder, "sentinel.conf"), "--sentinel"]
      return { port: own, ...(await start({ command, folder, ready: /\+monitor master/, stopSignal: "KILL" })) }
    }),
    (server) => Effect.promise(() => server.remove())
  )
