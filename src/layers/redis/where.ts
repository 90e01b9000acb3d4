import { Config, type Option, type Redacted } from "effect"
import * as Settings from "../../services/Settings.ts"

export interface Where {
  readonly url: Redacted.Redacted
  readonly password: Option.Option<Redacted.Redacted>
  /** The master's name among sentinels. */
  readonly master: string
  /** Before every key; a channel is given with it already. */
  readonly keyPrefix: string
}

export const broker: Config.Config<Where> = Settings.of(
  "CELERY_BROKER_URL",
  "REDIS_PASSWORD",
  "REDIS_SENTINEL_MASTER",
  "BROKER_GLOBAL_KEYPREFIX"
).pipe(
  Config.map((s) => ({
    url: s.CELERY_BROKER_URL,
    password: s.REDIS_PASSWORD,
    master: s.REDIS_SENTINEL_MASTER,
    keyPrefix: s.BROKER_GLOBAL_KEYPREFIX
  }))
)

export const backend: Config.Config<Where> = Settings.of(
  "CELERY_RESULT_BACKEND",
  "REDIS_PASSWORD",
  "REDIS_SENTINEL_MASTER",
  "RESULT_GLOBAL_KEYPREFIX"
).pipe(
  Config.map((s) => ({
    url: s.CELERY_RESULT_BACKEND,
    password: s.REDIS_PASSWORD,
    master: s.REDIS_SENTINEL_MASTER,
    keyPrefix: s.RESULT_GLOBAL_KEYPREFIX.replace(/[^:_.-]$/, "$&_")
  }))
)
