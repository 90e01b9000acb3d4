/** Certificates to sign pictures with, of an authority of the test's own, and the judge of what they sign. */
import * as X509 from "@peculiar/x509"
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { webcrypto } from "node:crypto"

const DAY = 86_400_000
const kinds = {
  "P-256": { name: "ECDSA", namedCurve: "P-256" },
  "P-384": { name: "ECDSA", namedCurve: "P-384" },
  Ed25519: { name: "Ed25519" },
  RSA: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 }
} as const
export type Kind = keyof typeof kinds

type Keys = webcrypto.CryptoKeyPair
const pair = (kind: Kind) => webcrypto.subtle.generateKey(kinds[kind], true, ["sign", "verify"]) as Promise<Keys> // it makes a pair for all of them
const pem = (label: string, der: ArrayBuffer) =>
  `-----BEGIN ${label}-----\n${Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n")}\n-----END ${label}-----\n`

interface Options {
  /** When it begins and ends, in days from now. */
  readonly days?: readonly [from: number, to: number]
  readonly purpose?: string
}
let serial = 1

/** Writes a certificate with its chain, its key and the root into the folder. */
export const makeCertificate = async (folder: string, kind: Kind, options: Options = {}) => {
  const { days: [from, to] = [-1, 30], purpose = "1.3.6.1.5.5.7.3.4" } = options
  const usage = { days: [-1, 30] as const }
  const issue = async (
    subject: string,
    keys: Keys,
    issuer: { readonly keys: Keys; readonly name: string },
    [begin, end]: readonly [number, number],
    extensions: Array<X509.Extension>
  ) =>
    X509.X509CertificateGenerator.create({
      serialNumber: (++serial).toString(16).padStart(4, "0"),
      subject,
      issuer: issuer.name,
      notBefore: new Date(Date.now() + begin * DAY),
      notAfter: new Date(Date.now() + end * DAY),
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      publicKey: keys.publicKey,
      signingKey: issuer.keys.privateKey,
      extensions: [
        ...extensions,
        await X509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await X509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey)
      ]
    })
  const authority = [
    new X509.BasicConstraintsExtension(true, undefined, true),
    new X509.KeyUsagesExtension(X509.KeyUsageFlags.keyCertSign | X509.KeyUsageFlags.cRLSign, true)
  ]
  const root = { keys: await pair("P-256"), name: "O=Test, CN=Root" }
  const between = { keys: await pair("P-256"), name: "O=Test, CN=Between" }
  const own = await pair(kind)
  const certificates = [
    await issue(
      "O=Test, CN=Model library",
      own,
      between,
      [from, to],
      [
        new X509.BasicConstraintsExtension(false, undefined, true),
        new X509.KeyUsagesExtension(X509.KeyUsageFlags.digitalSignature, true),
        new X509.ExtendedKeyUsageExtension([purpose], true)
      ]
    ),
    await issue(between.name, between.keys, root, usage.days, authority),
    await issue(root.name, root.keys, root, usage.days, authority)
  ]
  const files = { cert: join(folder, `${kind}.pem`), key: join(folder, `${kind}.key`), root: join(folder, `${kind}.root.pem`) }
  writeFileSync(files.cert, certificates.map((one) => `${one.toString("pem")}\n`).join(""))
  writeFileSync(files.root, certificates.at(-1)!.toString("pem"))
  writeFileSync(files.key, pem("PRIVATE KEY", await webcrypto.subtle.exportKey("pkcs8", own.privateKey)))
  return files
}

export interface Verdict {
  readonly state: "Valid" | "Trusted" | "Invalid" | "unreadable"
  /** In the words of the C2PA standard. */
  readonly failures: ReadonlyArray<string>
  readonly assertions: Record<string, unknown>
}

/** What the library of those who wrote the standard says of each file; `root` is a file with a root to trust, or "-". */
export const judge = (python: string, root: string, files: ReadonlyArray<string>) =>
  execFileSync(python, [join(import.meta.dirname, "c2pa_judge.py"), root, ...files], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Verdict) // as the script prints it
