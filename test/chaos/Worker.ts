/** One worker process behind wires of its own, under a supervisor that starts it again as docker would. */
import { Effect, Random } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { openSync } from "node:fs"
import { freePort } from "../servers/Process.ts"
import { type Seen, wire } from "../servers/wire.ts"
import { type Glimpse, type Server, Watch } from "./Watch.ts"

export class Worker {
  readonly name: string
  readonly watch = new Watch()
  frozen = false
  /** Ends that nobody asked for. */
  readonly unasked: Array<string> = []
  private child: ChildProcess | undefined
  private asked = false

  constructor(name: string) {
    this.name = name
  }

  get alive(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  /** As `kill -9`. */
  kill(): void {
    this.asked = true
    this.child?.kill("SIGKILL")
    this.watch.reset()
  }

  freeze(): void {
    this.frozen = true
    this.child?.kill("SIGSTOP")
  }

  thaw(): void {
    this.frozen = false
    this.child?.kill("SIGCONT")
  }

  /** From the start of a process to its end. */
  async live([program, ...args]: ReadonlyArray<string>, env: Readonly<Record<string, string>>, log: number): Promise<void> {
    this.asked = false
    this.child = spawn(program!, args, { env: { PATH: process.env["PATH"], ...env }, stdio: ["ignore", log, log] })
    const [code, signal] = await once(this.child, "exit")
    if (!this.asked) this.unasked.push(`${this.name} ended with ${code ?? signal}`)
    this.watch.reset()
  }
}

export interface Setup {
  readonly name: string
  readonly command: ReadonlyArray<string>
  readonly env: (ports: Readonly<Record<Server, number>>) => Readonly<Record<string, string>>
  readonly targets: Readonly<Record<Server, number>>
  /** Where it writes what it has to say. */
  readonly log: string
  readonly look: (worker: Worker, glimpse: Glimpse, server: Server, request: string) => Seen["fate"]
}

/** Runs until its scope ends, and is killed then. */
export const supervised = Effect.fnUntraced(function* (setup: Setup) {
  const worker = new Worker(setup.name)
  const look =
    (server: Server) =>
    (request: string): Seen => {
      const glimpse = worker.watch.see(server, request)
      const fate = worker.alive ? setup.look(worker, glimpse, server, request) : "drop"
      if (fate !== "drop") glimpse.carried?.()
      return { fate, answered: glimpse.answered }
    }
  const ports = {
    redis: yield* wire(setup.targets.redis, look("redis")),
    postgres: yield* wire(setup.targets.postgres, look("postgres")),
    fal: yield* wire(setup.targets.fal, look("fal"))
  }
  const env = { ...setup.env(ports), METRICS_PORT: String(yield* Effect.promise(freePort)) }
  const log = openSync(setup.log, "a")
  yield* Effect.addFinalizer(() => Effect.sync(() => worker.kill()))
  yield* Effect.promise(() => worker.live(setup.command, env, log)).pipe(
    Effect.andThen(Effect.flatMap(Random.nextBetween(100, 1200), Effect.sleep)),
    Effect.forever,
    Effect.forkScoped
  )
  return worker
})
