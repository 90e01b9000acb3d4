import { Result } from "effect"
import { ESCAPES, hostAndPort, unquote } from "./unquote.ts"

export interface Node {
  readonly host: string
  readonly port: number
}

/** TLS as Celery's `ssl_*` parameters ask for it; the files are named here and read by who connects. */
export interface RedisTls {
  readonly verify: boolean
  readonly checkHostname: boolean
  readonly files: Readonly<Partial<Record<"ssl_ca_certs" | "ssl_certfile" | "ssl_keyfile", string>>>
}

/** Where a Redis is: a server, the sentinels that know it, or a unix socket. */
export interface RedisAddress {
  readonly at:
    | { readonly _tag: "Server"; readonly node: Node }
    | { readonly _tag: "Sentinels"; readonly nodes: ReadonlyArray<Node> }
    | { readonly _tag: "Socket"; readonly path: string }
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: RedisTls | undefined
}

export const EXPECTED = "redis://, rediss://, sentinel:// or redis+socket:// as Celery writes it: redis://:password@host:6379/4"
const FILES = ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"] as const
const SSL = new Set<string>([...FILES, "ssl_cert_reqs", "ssl_check_hostname"])
const CERT_REQS: Readonly<Record<string, boolean>> = {
  required: true,
  CERT_REQUIRED: true,
  optional: true, // for a client Python's `ssl` makes no difference between the two
  CERT_OPTIONAL: true,
  none: false,
  CERT_NONE: false
}

/** The parameter that names the database where the path is that of a unix socket: Celery's form, and redis-py's own. */
const SOCKETS: Readonly<Record<string, "virtual_host" | "db">> = { "redis+socket": "virtual_host", unix: "db" }

interface Parts {
  readonly scheme: string
  /** User and password as they are written. */
  readonly user: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly hosts: string
  readonly path: string
  readonly query: URLSearchParams
}

const wrong = Result.fail<string>
const address = (read: RedisAddress) => read

/** The parts of a URL where Python's `urlparse`, and so Celery, finds them: the user's end is the last `@` before a `/ ? #`. */
const split = (url: string): Result.Result<Parts, string> => {
  const [, scheme = "", authority = "", path = "", query = "", rest = ""] =
    /^(?:([a-z+]+):\/\/)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?(.*)$/is.exec(url) ?? []
  if (rest !== "") return wrong(`has a # (${ESCAPES})`)
  if (/@/.test(path + query)) return wrong(`has an @ behind its host: is it the password's end? (${ESCAPES})`)
  const at = authority.lastIndexOf("@")
  const [user = "", ...secret] = at === -1 ? [] : authority.slice(0, at).split(":")
  return Result.succeed({
    scheme: scheme.toLowerCase(),
    user: at === -1 ? "" : authority.slice(0, at),
    username: user === "" ? undefined : unquote(user),
    password: secret.join(":") === "" ? undefined : unquote(secret.join(":")),
    hosts: authority.slice(at + 1),
    path: unquote(path.slice(1)),
    query: new URLSearchParams(query)
  })
}

const tlsOf = (query: URLSearchParams): Result.Result<RedisTls, string> => {
  const unknown = [...query.keys()].find((key) => key.startsWith("ssl_") && !SSL.has(key))
  if (unknown !== undefined) return wrong(`has ${unknown}, which is not known here (${[...SSL].join(", ")} are)`)
  const reqs = query.get("ssl_cert_reqs") ?? "required"
  const verify = Object.hasOwn(CERT_REQS, reqs) ? CERT_REQS[reqs] : undefined
  if (verify === undefined) return wrong(`has ssl_cert_reqs=${reqs}: expected required, optional or none`)
  const files = FILES.flatMap((name) => {
    const path = query.get(name)
    return path === null || path === "" ? [] : [[name, path] as const]
  })
  const checkHostname = query.get("ssl_check_hostname")?.toLowerCase() !== "false"
  return Result.succeed({ verify, checkHostname, files: Object.fromEntries(files) })
}

const databaseOf = (text: string, where: string): Result.Result<number, string> =>
  text === "" || text === "/"
    ? Result.succeed(0)
    : /^\/?\d{1,9}$/.test(text.trim())
      ? Result.succeed(Number(text.trim().replace("/", "")))
      : wrong(`names the database ${JSON.stringify(text)}: expected a number ${where}, such as 4`)

const nodesOf = (hosts: ReadonlyArray<string>, port: number): Result.Result<ReadonlyArray<Node>, string> => {
  const nodes = hosts.map(hostAndPort)
  // The wrong port is not shown: if the password has an unescaped slash, it is a piece of the password.
  if (nodes.includes(undefined)) return wrong(`has a host or a port that is none (${ESCAPES}; an IPv6 address as [::1])`)
  return Result.succeed(nodes.map((node) => ({ host: node?.host || "127.0.0.1", port: node?.port ?? port })))
}

const readSentinels = (url: string) =>
  Result.gen(function* () {
    const parts: Array<Parts> = []
    for (const text of url.split(";").filter((text) => text.trim() !== "")) {
      const part = yield* split(text.trim())
      if (part.scheme !== "sentinel" && part.scheme !== "") return yield* wrong(`mixes sentinel:// with ${part.scheme}://`)
      parts.push(part)
    }
    const [first] = parts
    if (first === undefined) return yield* wrong(`expects ${EXPECTED}`)
    const db = yield* databaseOf(first.path, "after the first sentinel")
    for (const part of parts.slice(1))
      if (part.path !== "" && (yield* databaseOf(part.path, "after the first sentinel")) !== db)
        return yield* wrong("names more than one database: Celery takes that of the first sentinel, so put it there")
    const nodes = yield* nodesOf(
      parts.flatMap(({ hosts }) => hosts.split(",")),
      26_379
    )
    const tls = [...first.query.keys()].some((key) => key.startsWith("ssl_")) ? yield* tlsOf(first.query) : undefined
    const { password, username } = first
    return address({ at: { _tag: "Sentinels", nodes }, username, password, db, tls })
  })

/** A Redis URL as Celery reads it. What Celery would read otherwise, or not at all, is refused in words that show no password. */
export const parse = (url: string): Result.Result<RedisAddress, string> => {
  if (/^sentinel:/i.test(url)) return readSentinels(url)
  return Result.gen(function* () {
    const part = yield* split(url)
    const { password, query, scheme, username } = part
    const inQuery = Object.hasOwn(SOCKETS, scheme) ? SOCKETS[scheme] : undefined
    if (inQuery !== undefined) {
      if (part.path === "" || part.hosts !== "") return yield* wrong(`expects ${scheme}:///path/to/redis.sock?${inQuery}=4`)
      const other = inQuery === "db" ? "virtual_host" : "db"
      if (query.has(other)) return yield* wrong(`has ?${other}=: with ${scheme}:// the database is ?${inQuery}=`)
      const db = yield* databaseOf(query.get(inQuery) ?? "", `as ?${inQuery}=`)
      return address({ at: { _tag: "Socket", path: `/${part.path}` }, username, password, db, tls: undefined })
    }
    if (scheme === "socket" || scheme === "redis+unix")
      return yield* wrong(`has ${scheme}://, which Celery does not know: write redis+socket:///path/to/redis.sock?virtual_host=4`)
    if (scheme !== "redis" && scheme !== "rediss") return yield* wrong(`expects ${EXPECTED}`)
    if (part.hosts.includes(";") || url.includes(";"))
      return yield* wrong("names several servers: only sentinel:// may, which knows which of them is the master")
    if (query.has("db") || query.has("virtual_host"))
      return yield* wrong("names the database in the query: write it after the host, as in redis://host:6379/4")
    const [node] = yield* nodesOf([part.hosts], 6379)
    if (node === undefined) return yield* wrong(`expects ${EXPECTED}`)
    // Without a host it may be a piece of the password that stands there.
    if (/^:|^$/.test(part.hosts) && !/^\d*$/.test(part.path))
      return yield* wrong(`has a / or a database that is none (${ESCAPES})`)
    const db = yield* databaseOf(part.path, "after the host")
    if (scheme === "redis" && [...query.keys()].some((key) => key.startsWith("ssl_")))
      return yield* wrong("has ssl_ parameters without TLS: write rediss://")
    const tls = scheme === "rediss" ? yield* tlsOf(query) : undefined
    return address({ at: { _tag: "Server", node }, username, password, db, tls })
  })
}

/** Warnings about a URL that can be read and may still be a mistake. */
export const doubts = (url: string): ReadonlyArray<string> =>
  Result.match(split(url.split(";")[0] ?? ""), {
    onFailure: () => [],
    onSuccess: ({ query, scheme, user }) => {
      const unknown = [...query.keys()].filter((key) => !SSL.has(key) && key !== SOCKETS[scheme])
      return [
        ...(user.includes("@") ? [`has more than one @: what stands before the last is read as the password (${ESCAPES})`] : []),
        ...unknown.map((key) => `has ?${key}=, which is not looked at here`)
      ]
    }
  })
