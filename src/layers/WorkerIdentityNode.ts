import { Clock, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import * as Settings from "../services/Settings.ts"
import { WorkerIdentity } from "../services/WorkerIdentity.ts"

/** `%h` the host in full, `%n` its first part, `%d` the rest; a name without `@` gets `celery@` (celery-wire 7). */
export const expand = (name: string, host: string) => {
  const [short, ...domain] = host.split(".")
  const full = name
    .replaceAll("%h", host)
    .replaceAll("%n", short ?? host)
    .replaceAll("%d", domain.join("."))
  return full.includes("@") ? full : `celery@${full}`
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
      pid: process.pid,
      startedAt: yield* Clock.currentTimeMillis
    }
  })
)
