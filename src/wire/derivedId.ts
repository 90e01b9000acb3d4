import { createHash } from "node:crypto"

/** An id for something that belongs to a task, the same at every delivery of it (a version 5 UUID in form, RFC 9562). */
export const derivedId = (taskId: string, name: string) => {
  const hex = createHash("sha1").update(`${taskId}/${name}`).digest("hex")
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16)
  return [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `${variant}${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-"
  )
}
