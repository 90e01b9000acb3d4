import { Duration } from "effect"

/** How long a task may run: at `soft` it is interrupted, at `hard` it is left behind. */
export interface Limits {
  readonly soft: Duration.Duration
  readonly hard: Duration.Duration
}
/** In seconds; null when the source sets no limit. */
interface Wanted {
  readonly soft: number | null
  readonly hard: number | null
}

const first = (own: number | null, ordered: number | null | undefined, setting: Duration.Duration) => {
  const wanted = own ?? ordered ?? 0
  return wanted <= 0 ? setting : Duration.seconds(wanted) // 0 is no limit of its own, as in Celery
}

/** The message's own limits win; then those set by `time_limit` over remote control; then the settings. */
export const limitsOf = (
  message: Wanted,
  ordered: Wanted | undefined,
  settings: { readonly softLimit: Duration.Duration; readonly hardLimit: Duration.Duration }
): Limits => ({
  soft: first(message.soft, ordered?.soft, settings.softLimit),
  hard: first(message.hard, ordered?.hard, settings.hardLimit)
})
