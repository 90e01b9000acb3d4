import { Clock, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import * as Settings from "../../services/Settings.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"

/** `%h` the host in full, `%n` its first part, `%d` the rest; a name without `@` gets `celery@`. */
export const expand = (name: string, host: string) => {
  const [short, ...domain] = host.split(".")
  const full = name
    .replaceAll("%h", host)
    .replaceAll("%n", short ?? host)
    .replaceAll("%d", domain.join("."))
  return full.includes("@") ? full : `celery@${full}`
}

/** Linux makes it anew whenever the machine starts, and containers see that of their machine. */
const machine = () => {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
  } catch {
    return "" // not Linux: the host's name must do
  }
}

export const layer = Layer.effect(
  WorkerIdentity,
  Effect.gen(function* () {
    const { WORKER_NAME } = yield* Settings.of("WORKER_NAME")
    const host = hostname()
    return {
      name: expand(WORKER_NAME, host),
      boot: randomUUID(),
      host,
      machine: machine(),
      pid: process.pid,
      startedAt: yield* Clock.currentTimeMillis
    }
  })
)
