import { Result } from "effect"
import { isAbsolute } from "node:path"
import { fileURLToPath } from "node:url"

/** Where media are kept, as MEDIA_STORE says it. */
export type MediaAddress =
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "bucket"
      readonly bucket: string
      /** Before each name in the bucket: "" or a path that ends in a slash. */
      readonly prefix: string
      readonly endpoint: string
      readonly region: string
      /** Whether the bucket stands in the path of an address or in its host. */
      readonly style: "path" | "host"
    }

const EXPECTED = "expects file:///folder or s3://bucket/prefix?endpoint=https://host&region=name"
const KNOWN = new Set(["endpoint", "region", "style"])

const directory = (url: URL): Result.Result<MediaAddress, string> => {
  if (url.search !== "" || url.hash !== "" || url.host !== "") return Result.fail(EXPECTED)
  const path = fileURLToPath(url)
  return isAbsolute(path) && path !== "/" ? Result.succeed({ kind: "directory", path }) : Result.fail(EXPECTED)
}

const bucket = (url: URL): Result.Result<MediaAddress, string> => {
  if (url.username !== "" || url.password !== "")
    return Result.fail("has credentials in it: they belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
  const unknown = [...url.searchParams.keys()].find((name) => !KNOWN.has(name))
  if (unknown !== undefined) return Result.fail(`has an unknown option ${JSON.stringify(unknown.slice(0, 40))}: ${EXPECTED}`)
  if (!/^[a-z\d][a-z\d.-]{1,61}[a-z\d]$/.test(url.host) || url.hash !== "") return Result.fail(EXPECTED)
  const prefix = url.pathname.replace(/^\/+|\/+$/g, "")
  if (!/^[\w./-]*$/.test(prefix)) return Result.fail("has a prefix with other characters than letters, digits and . _ - /")
  const region = url.searchParams.get("region") ?? "us-east-1"
  const endpoint = (url.searchParams.get("endpoint") ?? `https://s3.${region}.amazonaws.com`).replace(/\/+$/, "")
  if (!/^https?:\/\/[^/?#@\s]+$/.test(endpoint) || URL.parse(endpoint) === null)
    return Result.fail("has an endpoint that is not http:// or https:// with a host")
  const style = url.searchParams.get("style") ?? (url.searchParams.has("endpoint") ? "path" : "host")
  if (style !== "path" && style !== "host") return Result.fail("has a style that is neither path nor host")
  return Result.succeed({ kind: "bucket", bucket: url.host, prefix: prefix === "" ? "" : `${prefix}/`, endpoint, region, style })
}

export const parse = (text: string): Result.Result<MediaAddress, string> => {
  const url = /\s/.test(text) ? null : URL.parse(text)
  if (url?.protocol === "file:") return directory(url)
  return url?.protocol === "s3:" ? bucket(url) : Result.fail(EXPECTED)
}
