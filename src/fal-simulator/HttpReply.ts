import type { Schema } from "effect"

/** A client's request, with its path in parts. */
export interface Asked {
  readonly method: string
  readonly url: URL
  readonly header: (name: string) => string
  readonly body: Buffer
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
}

export const json = (status: number, body: Schema.Json, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body)
})

export const html = (status: number, text: string): Reply => ({
  status,
  headers: { "content-type": "text/html" },
  body: `<html><head><title>${text}</title></head><body><center><h1>${text}</h1></center></body></html>`
})

/** fal's platform tells its errors in one sentence. [?] Of 401, 403 and 404 only the status is documented. */
export const detail = (status: number, text: string, headers: Readonly<Record<string, string>> = {}): Reply =>
  json(status, { detail: text }, { "x-fal-billable-units": "0", ...headers })
