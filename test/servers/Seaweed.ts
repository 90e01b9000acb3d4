/** A SeaweedFS server that speaks S3, with one bucket. It comes from PyPI, and is kept beside the Python environments. */
import { AwsClient } from "aws4fetch"
import { writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { freePort, type Server, start as startProcess, temporaryFolder } from "./Process.ts"
import * as Python from "./Python.ts"

export interface S3Address {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}
export interface S3Server extends S3Address, Server {}

/** Where the program is, or why it is missing. */
export const ensure = async (cache: string) => {
  const found = await Python.ensure("seaweed", cache, Python.environments.seaweed)
  return "missing" in found ? found : { program: join(dirname(found.python), "weed") }
}

const grants = { accessKeyId: "a-tester", secretAccessKey: "not-a-secret" }

/** The port is open before the server can store anything: until then it answers with errors. */
const makeBucket = async (endpoint: string, bucket: string) => {
  const client = new AwsClient({ ...grants, service: "s3", region: "us-east-1", retries: 0 })
  for (let tries = 0; tries < 100; tries++) {
    const made = await client.fetch(`${endpoint}/${bucket}`, { method: "PUT" }).catch(() => undefined)
    if (made?.ok === true) return
    await sleep(100)
  }
  throw new Error("SeaweedFS made no bucket")
}

export const start = async (program: string): Promise<S3Server> => {
  const folder = temporaryFolder("seaweed")
  const identities = [
    { name: "tester", credentials: [{ accessKey: grants.accessKeyId, secretKey: grants.secretAccessKey }], actions: ["Admin"] }
  ]
  writeFileSync(join(folder, "s3.json"), JSON.stringify({ identities }))
  const ports: Record<string, number> = {}
  for (const role of ["master", "volume", "filer", "s3"]) {
    ports[`${role}.port`] = await freePort()
    ports[`${role}.port.grpc`] = await freePort()
  }
  const settings = {
    dir: folder,
    ip: "127.0.0.1",
    "ip.bind": "127.0.0.1",
    s3: true,
    "s3.config": join(folder, "s3.json"),
    "s3.iam": false,
    "s3.autoCreateBucket": false,
    "s3.port.iceberg": 0,
    "s3.port.lance": 0,
    "s3.localSocket": join(folder, "s3.sock"),
    "filer.localSocket": join(folder, "filer.sock"),
    "master.telemetry": false,
    "master.volumeSizeLimitMB": 64,
    "volume.max": 100,
    ...ports
  }
  const command = [program, "server", ...Object.entries(settings).map(([name, value]) => `-${name}=${String(value)}`)]
  const server = await startProcess({
    command,
    folder,
    ready: /Start Seaweed S3 API Server.* at http port/,
    stopSignal: "KILL",
    patience: 90_000 // started again, its master takes half a minute to find that it is alone
  })
  const endpoint = `http://127.0.0.1:${ports["s3.port"]}`
  try {
    await makeBucket(endpoint, "models")
    return { endpoint, ...grants, ...server }
  } catch (error) {
    await server.remove()
    throw error
  }
}
