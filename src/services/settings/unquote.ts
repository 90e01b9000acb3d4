/** As Python's `unquote`, which Celery and SQLAlchemy use: a `%` that begins no escape stands for itself. */
export const unquote = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"))

export const ESCAPES = "in a password write / ? # @ : % as %2F %3F %23 %40 %3A %25"

/** `host`, `host:port` or `[ipv6]:port`; the port is `undefined` where none is named. Nothing for what is none of these. */
export const hostAndPort = (text: string): { readonly host: string; readonly port: number | undefined } | undefined => {
  const [, bracketed, plain, digits = ""] = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]]*))(?::(\d*))?$/i.exec(text) ?? []
  const host = bracketed ?? plain
  const port = digits === "" ? undefined : Number(digits)
  if (host === undefined || (port !== undefined && (port < 1 || port > 65_535))) return undefined
  return { host: unquote(host), port }
}

/** A host as a URL has it before a port: an IPv6 address in brackets. */
export const inUrl = (host: string): string => (host.includes(":") ? `[${host}]` : host)
