import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"

/** The signatures that C2PA knows, by the names of COSE. */
export type Algorithm = "ES256" | "ES384" | "ES512" | "PS256" | "Ed25519"

/** A certificate to sign pictures with: its own, then those of the authorities between it and the root. */
export interface Certificate {
  readonly chain: readonly [X509Certificate, ...Array<X509Certificate>]
  readonly key: KeyObject
  readonly algorithm: Algorithm
}

/** What a certificate must be for, one of: protecting mail, signing documents, signing C2PA claims. */
const PURPOSES = new Set(["1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1"])
const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

const curves: Readonly<Record<string, Algorithm>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" }
const algorithmOf = ({ asymmetricKeyDetails: details, asymmetricKeyType: type }: KeyObject): Algorithm | undefined => {
  if (type === "ed25519") return "Ed25519"
  if (type === "ec") return curves[details?.namedCurve ?? ""]
  return type === "rsa" && (details?.modulusLength ?? 0) >= 2048 ? "PS256" : undefined
}

const contentOf = (path: string): Buffer | string => {
  try {
    return readFileSync(path)
  } catch (error) {
    return error instanceof Error && "code" in error ? `cannot be read (${String(error.code)})` : "cannot be read"
  }
}
const parsed = <A>(parse: () => A): A | undefined => {
  try {
    return parse()
  } catch {
    return undefined
  }
}

/** What a reader of C2PA would refuse the certificate for. */
const flawOf = (leaf: X509Certificate): string | undefined => {
  if (leaf.ca || leaf.issuer === leaf.subject)
    return "begins with an authority's certificate, which must not sign pictures itself"
  if (!(leaf.keyUsage ?? []).some((purpose) => PURPOSES.has(purpose)))
    return "is for other purposes: it needs the extended key usage emailProtection, documentSigning or C2PA's claim signing"
  return undefined
}

/** Why the certificate cannot be used at this time (Unix milliseconds). */
export const outsideValidity = ({ chain: [leaf] }: Certificate, now: number): string | undefined => {
  if (now > Date.parse(leaf.validTo)) return `ended on ${leaf.validTo}`
  return now < Date.parse(leaf.validFrom) ? `begins on ${leaf.validFrom}` : undefined
}

/** Reads the two PEM files, or says what is wrong with them. Whether the certificate has ended is not asked. */
export const load = (certPath: string, keyPath: string): Certificate | { readonly problem: string } => {
  const cert = contentOf(certPath)
  if (typeof cert === "string") return { problem: `C2PA_CERT names ${certPath}, which ${cert}` }
  const [leaf, ...others] = parsed(() => (cert.toString("latin1").match(PEM) ?? []).map((pem) => new X509Certificate(pem))) ?? []
  if (leaf === undefined) return { problem: `C2PA_CERT names ${certPath}, which holds no certificate in PEM form` }
  const flaw = flawOf(leaf)
  if (flaw !== undefined) return { problem: `C2PA_CERT names ${certPath}, which ${flaw}` }
  const pem = contentOf(keyPath)
  if (typeof pem === "string") return { problem: `C2PA_KEY names ${keyPath}, which ${pem}` }
  const key = parsed(() => createPrivateKey(pem))
  if (key === undefined)
    return { problem: `C2PA_KEY names ${keyPath}, which holds no private key in PEM form without a password` }
  if (!leaf.checkPrivateKey(key))
    return { problem: `C2PA_KEY names ${keyPath}, which is not the key of the certificate in C2PA_CERT` }
  const algorithm = algorithmOf(key)
  if (algorithm === undefined)
    return {
      problem: `C2PA_KEY names ${keyPath}, which is of another kind than P-256, P-384, P-521, Ed25519 and RSA of 2048 bits or more`
    }
  // A reader knows its roots; the certificates up to one are what it needs.
  return { chain: [leaf, ...others.filter(({ issuer, subject }) => issuer !== subject)], key, algorithm }
}
