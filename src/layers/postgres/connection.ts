import type * as PgClient from "@effect/sql-pg/PgClient"
import { Redacted } from "effect"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import type { DatabaseAddress, DatabaseTls } from "../../services/settings/DatabaseAddress.ts"

/**
 * A connection without traffic for this long is closed (milliseconds). It is either idle, or it waits for an answer that will
 * never come because the network path is gone; such a connection would keep its place in the pool for 15 minutes.
 */
const SILENCE = 30_000

/** Which of the server's certificate libpq would check. */
const tlsOptions = ({ check, files }: DatabaseTls) => {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path))
  return {
    rejectUnauthorized: check !== "encrypt",
    ca: read(files.sslrootcert),
    cert: read(files.sslcert),
    key: read(files.sslkey),
    ...(check === "chain" ? { checkServerIdentity: () => undefined } : {})
  }
}

const socketOf = ({ host, port }: DatabaseAddress) =>
  host.startsWith("/")
    ? connect({ path: `${host}/.s.PGSQL.${port}` })
    : connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 })

/** Where to connect, in the client's words; all but the password. */
export const connectionOf = (address: DatabaseAddress): PgClient.PgClientConfig => ({
  // The client alone knows how to go on in clear with a server that has no TLS, and does so for this mode of a URL's only.
  ...(address.tls?.check === "prefer" ? { url: Redacted.make("postgresql://_?sslmode=prefer") } : {}),
  ...(address.tls === undefined ? { ssl: false } : address.tls.check === "prefer" ? {} : { ssl: tlsOptions(address.tls) }),
  host: address.host,
  port: address.port,
  ...(address.username === undefined ? {} : { username: address.username }),
  ...(address.database === undefined ? {} : { database: address.database }),
  stream: () => {
    const socket = socketOf(address)
    return socket.setTimeout(SILENCE, () => socket.destroy(new Error("no word from PostgreSQL for 30 s")))
  }
})
