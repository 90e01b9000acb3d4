import { Option, Redacted } from "effect"
import type { RedisOptions } from "ioredis"
import { readFileSync } from "node:fs"
import type { RedisTls } from "../../services/settings/RedisAddress.ts"
import { inUrl } from "../../services/settings/unquote.ts"
import type { Where } from "./where.ts"

const tlsOptions = ({ checkHostname, files, verify }: RedisTls): RedisOptions["tls"] => {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path))
  return {
    rejectUnauthorized: verify,
    ca: read(files.ssl_ca_certs),
    cert: read(files.ssl_certfile),
    key: read(files.ssl_keyfile),
    ...(checkHostname ? {} : { checkServerIdentity: () => undefined })
  }
}

/** Where to connect, in the driver's words. */
export const optionsOf = (where: Where): RedisOptions => {
  const { at, db, password, tls, username } = Redacted.value(where.address)
  return {
    ...(at._tag === "Sentinels"
      ? {
          name: where.sentinel.master,
          sentinels: [...at.nodes],
          sentinelCommandTimeout: 2000, // of a sentinel that is frozen the next one is asked
          ...Option.match(where.sentinel.username, { onNone: () => ({}), onSome: (name) => ({ sentinelUsername: name }) }),
          ...Option.match(where.sentinel.password, {
            onNone: () => ({}),
            onSome: (secret) => ({ sentinelPassword: Redacted.value(secret) })
          })
        }
      : at._tag === "Socket"
        ? { path: at.path }
        : { host: at.node.host, port: at.node.port }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls), enableTLSForSentinelMode: at._tag === "Sentinels" }),
    db
  }
}

/** The server and its database as people know it, without a secret: the label of its numbers, and its name in the log. */
export const labelOf = (where: Where): string => {
  const { at, db } = Redacted.value(where.address)
  if (at._tag === "Sentinels") return `${where.sentinel.master}/${db}`
  if (at._tag === "Socket") return `${at.path}/${db}`
  return `${inUrl(at.node.host)}:${at.node.port}/${db}`
}
