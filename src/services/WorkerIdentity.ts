import { Context } from "effect"

/** Who this process is among the workers of a broker. `boot` is new at every start, so that no two lives are confused. */
export class WorkerIdentity extends Context.Service<
  WorkerIdentity,
  {
    /** Celery's node name, `name@host`. */
    readonly name: string
    readonly boot: string
    readonly host: string
    /** Of the machine's own present boot: host names and process ids are the same on two servers that are set up alike. */
    readonly machine: string
    readonly pid: number
    /** Unix milliseconds. */
    readonly startedAt: number
  }
>()("model-generator/services/WorkerIdentity") {}
