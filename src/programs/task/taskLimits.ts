import { Duration } from "effect"

/** How long a task may run: at `soft` it is interrupted, at `hard` it is left behind. */
export interface Limits {
  readonly soft: Duration.Duration
  readonly hard: Duration.Duration
}
/** Seconds; null where nothing is said. */
interface Wanted {
  readonly soft: number | null
  readonly hard: number | null
}

const first = (own: number | null, ordered: number | null | undefined, setting: Duration.Duration) => {
  const wanted = own ?? ordered ?? 0
  return wanted <= 0 ? setting : Duration.seconds(wanted) // 0 is no limit of its own, as in Celery
}

/** What the message says, or what was ordered for its kind, or the settings. */
export const limitsOf = (
  message: Wanted,
  ordered: Wanted | undefined,
  settings: { readonly TASK_SOFT_TIME_LIMIT: Duration.Duration; readonly TASK_TIME_LIMIT: Duration.Duration }
): Limits => ({
  soft: first(message.soft, ordered?.soft, settings.TASK_SOFT_TIME_LIMIT),
  hard: first(message.hard, ordered?.hard, settings.TASK_TIME_LIMIT)
})
