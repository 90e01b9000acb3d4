import type { ServerResponse } from "node:http"
import type { Reply } from "./HttpReply.ts"

export const send = (response: ServerResponse, { body, headers, status }: Reply) => {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) })
  response.end(body)
}
export const sendTwice = (response: ServerResponse, { body, headers, status }: Reply) => {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, [value, value])
  response.writeHead(status, { "content-length": Buffer.byteLength(body) })
  response.end(body)
}
/** Begins with half of the body, and never ends it. */
export const begin = (response: ServerResponse, { body, headers, status }: Reply) => {
  response.writeHead(status, { ...headers })
  response.write(body.slice(0, Math.floor(body.length / 2)))
}
/** Sends the same again and again, as fast as it is read. */
export const pour = (response: ServerResponse, text: string) => {
  const block = Buffer.from(text.repeat(Math.ceil((64 * 1024) / text.length)))
  const more = () => {
    while (!response.destroyed && response.write(block));
    if (!response.destroyed) response.once("drain", more)
  }
  more()
}
/** When what was written is on its way. */
export const cutSoon = (response: ServerResponse) => void setTimeout(() => response.socket?.resetAndDestroy(), 20)
/** RST rather than FIN, with headers and half of the body before it where asked for. */
export const cut = (response: ServerResponse, reply?: Reply) => {
  if (reply === undefined) return response.socket?.resetAndDestroy()
  response.writeHead(reply.status, { ...reply.headers, "content-length": Buffer.byteLength(reply.body) })
  response.write(reply.body.slice(0, Math.floor(reply.body.length / 2)), () => cutSoon(response))
}
