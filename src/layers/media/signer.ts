/**
 * The process that signs pictures for a worker, with C2PA manifests. It is not the one that decodes them: a file made to break a
 * decoder is never near the key. It ends with the worker's channel.
 */
import { createHash, constants, sign } from "node:crypto"
import { answering } from "./answering.ts"
import { type Algorithm, load, outsideValidity } from "./Certificate.ts"
import type { SigningAnswer, SigningOrder } from "./Signing.ts"
import { WebpAsset } from "./marks/WebpAsset.ts"

/** Room for the signature and for the file's hash, which are known last; the library's own default is 25 KB. */
const ROOM = 1000

const hashes: Readonly<Record<Algorithm, string | null>> = {
  ES256: "sha256",
  ES384: "sha384",
  ES512: "sha512",
  PS256: "sha256",
  Ed25519: null
}

const begin = async () => {
  const { JPEG, PNG } = await import("@trustnxt/c2pa-ts/asset")
  const { CoseAlgorithmIdentifier } = await import("@trustnxt/c2pa-ts/cose")
  const C2pa = await import("@trustnxt/c2pa-ts/manifest")
  const { X509Certificate } = await import("@peculiar/x509")

  const { C2PA_CERT = "", C2PA_KEY = "" } = process.env
  const certificate = load(C2PA_CERT, C2PA_KEY)
  if ("problem" in certificate) throw new Error(certificate.problem)
  const { algorithm, chain, key } = certificate
  const [leaf, ...others] = chain
  const options = {
    key,
    // C2PA wants the two numbers of an elliptic signature one after the other, and a salt as long as the hash.
    dsaEncoding: "ieee-p1363" as const,
    ...(algorithm === "PS256" ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {})
  }
  const signer = {
    certificate: new X509Certificate(leaf.raw),
    chainCertificates: others.map(({ raw }) => new X509Certificate(raw)),
    algorithm: CoseAlgorithmIdentifier[algorithm],
    sign: async (payload: Uint8Array) => new Uint8Array(sign(hashes[algorithm], payload, options))
  }

  const signed = async ({ bytes, contentType, mark }: SigningOrder) => {
    const Asset = { "image/jpeg": JPEG, "image/png": PNG, "image/webp": WebpAsset }[contentType]
    const asset = new Asset(bytes)
    // Of the file itself, so that the same file is signed in the same words.
    const digest = createHash("sha256").update(bytes).digest("hex")
    const uuid = [
      digest.slice(0, 8),
      digest.slice(8, 12),
      `4${digest.slice(13, 16)}`,
      `8${digest.slice(17, 20)}`,
      digest.slice(20, 32)
    ]
    const store = new C2pa.ManifestStore()
    const manifest = store.createManifest({
      claimVersion: C2pa.ClaimVersion.V2,
      assetFormat: contentType,
      instanceID: `xmp:iid:${uuid.join("-")}`,
      defaultHashAlgorithm: "SHA-256",
      signer
    })
    manifest.label = `urn:c2pa:${uuid.join("-")}`
    manifest.signature = C2pa.Signature.create(signer, ROOM)
    const claim = manifest.claim
    if (claim === undefined) throw new Error("the manifest has no claim")
    claim.claimGeneratorName = "model-generator"

    const actions = new C2pa.ActionAssertion()
    actions.actions.push({
      action: C2pa.ActionType.C2paCreated,
      digitalSourceType: C2pa.DigitalSourceType.TrainedAlgorithmicMedia,
      softwareAgent: { name: mark.model }
    })
    const about = new C2pa.MetadataAssertion()
    about.entries.push(
      { namespace: C2pa.MetadataNamespace.XMPBasic, name: "CreateDate", value: new Date(mark.createdAt).toISOString() },
      { namespace: C2pa.MetadataNamespace.XMPBasic, name: "CreatorTool", value: mark.model },
      { namespace: C2pa.MetadataNamespace.DublinCore, name: "identifier", value: mark.id }
    )
    const hash = C2pa.DataHashAssertion.create("SHA-256")
    for (const assertion of [actions, about, hash]) manifest.addAssertion(assertion)

    await asset.ensureManifestSpace(store.measureSize())
    await hash.updateWithAsset(asset)
    await manifest.sign(signer)
    await asset.writeManifestJUMBF(store.getBytes())
    return asset.getDataRange()
  }

  return async (order: SigningOrder): Promise<SigningAnswer> => {
    const over = outsideValidity(certificate, Date.now())
    if (over !== undefined) return { order: order.order, problem: `the certificate of C2PA_CERT ${over}` }
    return { order: order.order, problem: null, bytes: await signed(order) }
  }
}

answering(begin, (order: SigningOrder, problem): SigningAnswer => ({ order: order.order, problem }))
