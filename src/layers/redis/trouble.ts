import { kindOf } from "./Connection.ts"

const NO_TLS = "the server does not speak TLS there: write redis:// in place of rediss://, or name its TLS port"
const OWN_AUTHORITY = "name the authority that signed the server's certificate: ?ssl_ca_certs=/path"

/** Advice for failures of a connection whose own message does not say what to do. */
const hints: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  DEPTH_ZERO_SELF_SIGNED_CERT: OWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: OWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OWN_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is another name's: ?ssl_check_hostname=false accepts it"
}
const coded = (message: string, code: string) => Object.assign(new Error(message), { code })

/** The failure of a connection that has not been answered yet. */
export const unanswered = (tls: boolean) => coded(`no answer yet${tls ? ": does the server speak TLS there?" : ""}`, "no answer")

/** An error of a connection in words a person can act on; the driver's own for most. `greeting`: it is only being made. */
export const inWords = (error: Error, { greeting, tls }: { readonly greeting: boolean; readonly tls: boolean }): Error => {
  const kind = kindOf(error)
  if (hints[kind] !== undefined) return coded(`${hints[kind]} (${kind})`, kind)
  // A server without TLS takes the greeting for the beginning of a command, and waits for its end; one with TLS hangs up.
  if (tls && kind === "ETIMEDOUT") return coded(`no answer to the TLS greeting: does the server speak TLS there? (${kind})`, kind)
  if (!tls && greeting && kind === "ECONNRESET")
    return coded(`the server hangs up at the greeting: does it want TLS (rediss://)? (${kind})`, kind)
  return error
}
