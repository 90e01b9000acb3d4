/** An authority of our own and a certificate it has signed for `localhost`, in a folder that the caller removes. */
import { execFileSync } from "node:child_process"
import { chmodSync, chownSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder, unprivileged, which } from "./Process.ts"

export const missing = () => (which("openssl") === undefined ? "openssl is not installed" : undefined)

export const certificates = () => {
  const folder = temporaryFolder("tls")
  const openssl = (...args: ReadonlyArray<string>) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" })
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=an authority of our own")
  openssl(
    "req",
    ...key.slice(0, -2),
    "-keyout",
    "server.key",
    "-out",
    "server.csr",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost"
  )
  openssl(
    "x509",
    "-req",
    "-in",
    "server.csr",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-days",
    "2",
    "-copy_extensions",
    "copy",
    "-out",
    "server.pem"
  )
  chmodSync(folder, 0o755)
  const owner = unprivileged()
  for (const name of readdirSync(folder)) {
    chmodSync(join(folder, name), 0o600)
    if (owner !== undefined) chownSync(join(folder, name), owner.uid, owner.gid)
  }
  return { folder, ca: join(folder, "ca.pem"), certificate: join(folder, "server.pem"), key: join(folder, "server.key") }
}
