import { Context } from "effect"

/** This process among the workers of a broker. `boot` is new at every start, so that two lives of one name are never confused. */
export class WorkerIdentity extends Context.Service<
  WorkerIdentity,
  {
    /** Celery's node name, `name@host`. */
    readonly name: string
    readonly boot: string
    readonly host: string
    /** The boot id of the machine: two servers that are set up alike have the same host names and process ids. */
    readonly machine: string
    readonly pid: number
    /** Unix milliseconds. */
    readonly startedAt: number
  }
>()("model-generator/services/WorkerIdentity") {}
