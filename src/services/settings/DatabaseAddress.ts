import { Result } from "effect"
import { ESCAPES, hostAndPort, unquote } from "./unquote.ts"

/** libpq's `sslmode`, and which of the server's certificate it checks. */
const MODES = {
  disable: "none",
  allow: "prefer",
  prefer: "prefer",
  require: "encrypt",
  "verify-ca": "chain",
  "verify-full": "chain and name"
} as const

export interface DatabaseTls {
  readonly check: Exclude<(typeof MODES)[keyof typeof MODES], "none">
  readonly files: Readonly<Partial<Record<"sslrootcert" | "sslcert" | "sslkey", string>>>
}

export interface DatabaseAddress {
  /** A name or an address; a folder with PostgreSQL's unix socket begins with `/`. */
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly tls: DatabaseTls | undefined
}

export const EXPECTED = "postgresql://user:password@host:port/database"
const FILES = ["sslrootcert", "sslcert", "sslkey"] as const
const wrong = Result.fail<string>
const isMode = (text: string): text is keyof typeof MODES => Object.hasOwn(MODES, text)

const tlsOf = (query: URLSearchParams): Result.Result<DatabaseTls | undefined, string> => {
  const files = FILES.flatMap((name) => {
    const path = query.get(name)
    // For libpq `system` are the authorities this machine trusts, which is what is checked by where no file is named.
    return path === null || path === "" || path === "system" ? [] : [[name, path] as const]
  })
  const name = query.has("ssl") && !query.has("sslmode") ? "ssl" : "sslmode" // asyncpg's name for it
  const mode = query.get(name) ?? "disable"
  if (!isMode(mode)) return wrong(`has ${name}=${mode}: expected one of ${Object.keys(MODES).join(", ")}`)
  const check = MODES[mode]
  if (check === "none")
    return files.length === 0 ? Result.succeed(undefined) : wrong(`has ${files[0]?.[0]} without sslmode: add sslmode=verify-full`)
  // As libpq: who names an authority for `require` wants it to be checked.
  const checked = check === "encrypt" && query.has("sslrootcert") ? "chain" : check
  return Result.succeed({ check: checked, files: Object.fromEntries(files) })
}

/** The driver, which only SQLAlchemy has behind the scheme; the user with the password; and what follows. */
const split = (url: string) => {
  const [, driver = "", rest] = /^postgres(?:ql)?(\+[a-z0-9_]+)?:\/\/(.*)$/is.exec(url) ?? []
  if (rest === undefined) return undefined
  // libpq: the first @ ends the user, unless a / comes before it. SQLAlchemy: the first @ ends the password.
  const user = driver === "" ? /^(?:([^@/]*)@)?(.*)$/s : /^(?:([^:@/]*(?::[^@]*)?)@)?(.*)$/s
  const [, who = "", place = ""] = user.exec(rest) ?? []
  return { who, place }
}

/**
 * A PostgreSQL URL as libpq reads it, or as SQLAlchemy does where it names a driver. Words of failure show no password.
 */
export const parse = (url: string): Result.Result<DatabaseAddress, string> =>
  Result.gen(function* () {
    const parts = split(url)
    if (parts === undefined) return yield* wrong(`expects ${EXPECTED}`)
    const { place, who } = parts
    const [, hosts = "", path = "", query = ""] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(place) ?? []
    if (/[@#]/.test(hosts + path))
      return yield* wrong(`has an @ or a # behind its user: is it a part of the password? (${ESCAPES})`)
    const [user = "", ...secret] = who.split(":")
    const said = new URLSearchParams(query)
    const named = said.get("host") ?? ""
    const folder = unquote(hosts).startsWith("/")
    if ((named === "" ? hosts : named).includes(",")) return yield* wrong("names several hosts: one is expected, PgBouncer's")
    const node = hostAndPort(folder ? "" : hosts)
    if (node === undefined) return yield* wrong(`has a host or a port that is none (${ESCAPES}; an IPv6 address as [::1])`)
    const port = said.get("port") ?? String(node.port ?? 5432)
    if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
      return yield* wrong(`has the port ${JSON.stringify(port)}`)
    const text = (value: string | null, other: string) => (value === null || value === "" ? other : value) || undefined
    const address: DatabaseAddress = {
      host: named || (folder ? unquote(hosts) : node.host) || "localhost",
      port: Number(port),
      username: text(said.get("user"), unquote(user)),
      password: text(said.get("password"), unquote(secret.join(":"))),
      database: text(said.get("dbname"), unquote(path)),
      tls: yield* tlsOf(said)
    }
    return address
  })

/** What is looked at of a URL's parameters. */
const KNOWN = new Set<string>(["host", "port", "user", "password", "dbname", "sslmode", "ssl", ...FILES])

/** Warnings about a URL that can be read and may still be a mistake. */
export const doubts = (url: string): ReadonlyArray<string> => {
  const { place = "", who = "" } = split(url) ?? {}
  const unknown = [...new URLSearchParams(place.split("?").slice(1).join("?")).keys()].filter((key) => !KNOWN.has(key))
  return [
    ...(/[/?#]/.test(who) ? [`has a / ? or # before its @: it is read as a part of the password (${ESCAPES})`] : []),
    ...unknown.map((key) => `has ?${key}=, which is not looked at here`)
  ]
}
