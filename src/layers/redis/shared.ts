import { Effect } from "effect"
import type { Redis } from "ioredis"
import * as PythonJson from "../../services/PythonJson.ts"
import { QueueError } from "../../services/QueueError.ts"
import type { GivenBack } from "../../services/TaskQueue.ts"
import type { WorkerIdentity } from "../../services/WorkerIdentity.ts"

/** What the roles of the task queue share. */
export interface Shared {
  readonly redis: Redis
  readonly keyPrefix: string
  readonly me: WorkerIdentity["Service"]
  /** How long a message is left to a stock worker that does not say that it lives (seconds). */
  readonly visibility: number
  /** The queues messages are taken from now. */
  queues: ReadonlyArray<string>
  /** Where a message goes that does not say where it came from. */
  readonly home: () => string
  /** The tags of what we hold, and of claims on their way: any other under our name came of a claim whose answer was lost. */
  readonly mine: Set<string>
  /** What could not be given back, and what was to be said of it. It is no longer among `mine`, so that a pass gives it back. */
  readonly failed: Map<string, GivenBack>
}

export const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new QueueError({ operation, cause }) })

/** What a script needs to know about a message that it puts back. */
export const told = ({ crashed, generation }: GivenBack) => [
  crashed ? "alone" : "none",
  generation === undefined ? "" : PythonJson.stringify(generation)
]
