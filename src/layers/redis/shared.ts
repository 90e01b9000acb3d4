import type { Redis } from "ioredis"
import * as PythonJson from "../../wire/PythonJson.ts"
import { QueueError } from "../../services/QueueError.ts"
import type { GivenBack } from "../../services/TaskQueue.ts"
import type { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import { attempting } from "../attempting.ts"

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
  /**
   * Messages that could not be handed back, and what was to be added to them. They are no longer among `mine`, so the next pass
   * puts them back.
   */
  readonly failed: Map<string, GivenBack>
}

export const attempt = attempting(QueueError)

/** Whether a crash counts against a message that is put back. */
export const crashOf = ({ crashed }: GivenBack) => (crashed ? "alone" : "none")
/** What is known of the message's paid request (JSON); undefined leaves what the message says. */
export const generationOf = ({ generation }: GivenBack) =>
  generation === undefined ? undefined : PythonJson.stringify(generation)
