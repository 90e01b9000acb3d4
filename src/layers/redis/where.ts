import { Config, Option, Redacted, Result } from "effect"
import * as Settings from "../../services/Settings.ts"
import * as RedisAddress from "../../services/settings/RedisAddress.ts"

export interface Where {
  /** With its password, wherever that stood. */
  readonly address: Redacted.Redacted<RedisAddress.RedisAddress>
  /** How the sentinels are asked, where there are any. */
  readonly sentinel: {
    readonly master: string
    readonly username: Option.Option<string>
    readonly password: Option.Option<Redacted.Redacted>
  }
  /** Before every key; a channel is given with it already. */
  readonly keyPrefix: string
  /** The setting it stands in. */
  readonly setting: "CELERY_BROKER_URL" | "CELERY_RESULT_BACKEND"
}

const common = Settings.of("REDIS_PASSWORD", "REDIS_SENTINEL_MASTER", "REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASSWORD")

const whereOf = (
  setting: Where["setting"],
  url: Redacted.Redacted,
  keyPrefix: string,
  shared: Config.Success<typeof common>
): Where => {
  const address = Result.getOrThrow(RedisAddress.parse(Redacted.value(url))) // as the setting was read
  return {
    address: Redacted.make({
      ...address,
      password: address.password ?? Option.getOrUndefined(Option.map(shared.REDIS_PASSWORD, Redacted.value))
    }),
    sentinel: {
      master: shared.REDIS_SENTINEL_MASTER,
      username: shared.REDIS_SENTINEL_USERNAME,
      password: shared.REDIS_SENTINEL_PASSWORD
    },
    keyPrefix,
    setting
  }
}

export const broker: Config.Config<Where> = Config.all([
  Settings.of("CELERY_BROKER_URL", "BROKER_GLOBAL_KEYPREFIX"),
  common
]).pipe(Config.map(([own, shared]) => whereOf("CELERY_BROKER_URL", own.CELERY_BROKER_URL, own.BROKER_GLOBAL_KEYPREFIX, shared)))

export const backend: Config.Config<Where> = Config.all([
  Settings.of("CELERY_RESULT_BACKEND", "RESULT_GLOBAL_KEYPREFIX"),
  common
]).pipe(
  Config.map(([own, shared]) =>
    whereOf("CELERY_RESULT_BACKEND", own.CELERY_RESULT_BACKEND, own.RESULT_GLOBAL_KEYPREFIX.replace(/[^:_.-]$/, "$&_"), shared)
  )
)

/** Whether both are databases of one server, reached as the same user. Two names for one server are taken for two. */
export const isSameServer = (one: Where, other: Where): boolean => {
  const of = ({ address, sentinel }: Where) => {
    const { db: _, tls, ...server } = Redacted.value(address)
    return JSON.stringify([server, tls === undefined, server.at._tag === "Sentinels" ? sentinel.master : ""])
  }
  return of(one) === of(other)
}
