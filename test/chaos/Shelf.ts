/** The media store of the workers as the judge sees it: never through our own code. */
import { AwsClient } from "aws4fetch"
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Server } from "../servers/Process.ts"
import type { S3Server } from "../servers/Seaweed.ts"
import type { Row } from "./judge.ts"

export interface Shelf {
  /** The settings with which a worker uses it. */
  readonly env: Readonly<Record<string, string>>
  /** The bytes at an address of a row. Fails when there are none. */
  readonly read: (address: string) => Promise<Buffer>
  /** The names of all files. */
  readonly names: () => Promise<ReadonlyArray<string>>
  /** What may be stopped so that the store is away; a folder has no server. */
  readonly server: Server | undefined
}

export const folder = (path: string): Shelf => {
  mkdirSync(path)
  return {
    env: { MEDIA_STORE: pathToFileURL(path).href },
    read: async (address) => readFileSync(fileURLToPath(address)),
    names: async () =>
      readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) =>
        entry.isFile() && !entry.name.startsWith(".draft-") ? [entry.name] : []
      ),
    server: undefined
  }
}

export const bucket = (server: S3Server): Shelf => {
  const { accessKeyId, endpoint, secretAccessKey } = server
  const client = new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: "us-east-1" })
  const get = async (address: string) => {
    const answer = await client.fetch(address)
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
  }
  return {
    env: {
      MEDIA_STORE: `s3://models?endpoint=${endpoint}`,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey
    },
    read: get,
    names: async () => {
      const names: Array<string> = []
      for (let token: string | undefined = ""; token !== undefined;) {
        const more = token === "" ? "" : `&continuation-token=${encodeURIComponent(token)}`
        const page: string = (await get(`${endpoint}/models?list-type=2${more}`)).toString("utf8")
        names.push(...[...page.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => basename(key!)))
        token = /<NextContinuationToken>([^<]*)</.exec(page)?.[1]
      }
      return names
    },
    server
  }
}

/** What rows and files say of each other, in words. */
export interface Compared {
  /** Of rows whose file is missing, elsewhere, or has other bytes than its name says. */
  readonly wrong: ReadonlyArray<string>
  /** Files that no row names. */
  readonly orphans: ReadonlyArray<string>
}

/** Reads both files of every row; `keep` gets the bytes of each that is right. */
export const compare = async (
  shelf: Shelf,
  rows: ReadonlyArray<Row>,
  keep: (name: string, bytes: Buffer) => void = () => {}
): Promise<Compared> => {
  const named = new Set<string>()
  const wrong: Array<string> = []
  for (const { id, image_url, thumbnail_url } of rows)
    for (const address of [image_url, thumbnail_url ?? ""]) {
      const name = basename(address)
      named.add(name)
      try {
        const bytes = await shelf.read(address)
        if (name.startsWith(createHash("sha256").update(bytes).digest("hex"))) keep(name, bytes)
        else wrong.push(`row ${id}: the bytes of ${address} are others`)
      } catch (error) {
        wrong.push(`row ${id}: ${String(error)}`)
      }
    }
  const orphans = (await shelf.names()).filter((name) => !named.has(name)).map((name) => `no row names ${name}`)
  return { wrong, orphans }
}
