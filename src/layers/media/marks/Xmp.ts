import type { Mark } from "../../../services/Pictures.ts"

/** IPTC's word for a picture that a trained model made, as the EU's and the platforms' rules name it. */
const DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

const RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
const namespaces = {
  Iptc4xmpExt: "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
  xmp: "http://ns.adobe.com/xap/1.0/",
  dc: "http://purl.org/dc/elements/1.1/"
} as const

interface Property {
  readonly prefix: keyof typeof namespaces
  readonly name: string
  readonly value: string
}

/** JPEG gives a packet 64 KB; no model and no id of a provider comes near this. */
const LONGEST = 1000

const propertiesOf = ({ createdAt, id, model }: Mark): ReadonlyArray<Property> => [
  { prefix: "Iptc4xmpExt", name: "DigitalSourceType", value: DIGITAL_SOURCE_TYPE },
  { prefix: "Iptc4xmpExt", name: "AISystemUsed", value: model.slice(0, LONGEST) },
  { prefix: "xmp", name: "CreatorTool", value: model.slice(0, LONGEST) },
  { prefix: "xmp", name: "CreateDate", value: new Date(createdAt).toISOString() },
  { prefix: "dc", name: "identifier", value: id.slice(0, LONGEST) }
]

/** What XML 1.0 has no way to write is left out. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const unwritable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g
const escape = (text: string) =>
  text
    .toWellFormed()
    .replaceAll(unwritable, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")

/** One `Description` with these properties; `rdf` is what the packet calls RDF's namespace. */
const description = (properties: ReadonlyArray<Property>, rdf: string, about: string) => {
  const spaces = [...new Set(properties.map(({ prefix }) => prefix))].map((prefix) => `xmlns:${prefix}="${namespaces[prefix]}"`)
  const values = properties.map(({ name, prefix, value }) => `${prefix}:${name}="${escape(value)}"`)
  return `<${rdf}:Description ${rdf}:about=${about} ${[...spaces, ...values].join(" ")}/>`
}

/** A packet of this mark alone. */
export const packet = (mark: Mark): Buffer =>
  Buffer.from(
    `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">` +
      `<rdf:RDF xmlns:rdf="${RDF}">${description(propertiesOf(mark), "rdf", '""')}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>`
  )

/** A longer packet is not read; one in a JPEG cannot be longer than 64 KB. */
const LONGEST_READ = 256 * 1024
const LONGEST_PREFIX = 64

/**
 * Whether the packet says something under this name, by whatever prefix it calls the namespace. Takes time by the text's length
 * alone.
 */
const says = (text: string, { name, prefix }: Property) => {
  const prefixes = new Set(
    [...text.matchAll(/xmlns:([\w.-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g)]
      .filter(([, , double, single]) => (double ?? single) === namespaces[prefix])
      .map(([, used]) => used)
  )
  return [...text.matchAll(new RegExp(`:${name}[\\s=>/]`, "g"))].some(({ index }) =>
    prefixes.has(/[\w.-]+$/.exec(text.slice(Math.max(0, index - LONGEST_PREFIX), index))?.[0])
  )
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const read = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * The packet with those properties of the mark that it has not: whatever a provider put in stays as it was. The very packet that
 * was given when it has them all; `undefined` when it is not XMP in UTF-8.
 */
export const merged = (found: Buffer, mark: Mark): Buffer | undefined => {
  const text = found.length > LONGEST_READ ? undefined : read(found)
  const end = text === undefined ? undefined : [...text.matchAll(/<\/([A-Za-z_][\w.-]*):RDF\s*>/g)].at(-1)
  if (text === undefined || end === undefined) return undefined
  const missing = propertiesOf(mark).filter((property) => !says(text, property))
  if (missing.length === 0) return found
  const rdf = end[1]!
  // Every description of a packet is about the same thing, by the same name.
  const about = new RegExp(`\\s${rdf.replaceAll(".", "\\.")}:about\\s*=\\s*("[^"<]*"|'[^'<]*')`).exec(text)?.[1] ?? '""'
  return Buffer.from(text.slice(0, end.index) + description(missing, rdf, about) + text.slice(end.index))
}
