import * as http from "node:http"
import * as https from "node:https"

/** An HTTP answer, read to its last byte. */
export interface Answered {
  readonly _tag: "Answered"
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly text: string
}
/** How one HTTP request went. Only `NotSent` is proof that fal has seen nothing of it. */
export type Exchange =
  | Answered
  | { readonly _tag: "NotSent"; readonly detail: string }
  | { readonly _tag: "Lost"; readonly detail: string }

interface Problem {
  readonly code?: unknown
  readonly syscall?: unknown
  readonly errors?: unknown
}

// Node marks what failed before the first byte: name resolution, connecting (one error for each address), the TLS handshake.
const beforeSending = (problem: Problem): boolean =>
  problem.syscall === "connect" ||
  problem.syscall === "getaddrinfo" ||
  (typeof problem.code === "string" &&
    /^(CONNECT_TIMEOUT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/.test(
      problem.code
    )) ||
  (Array.isArray(problem.errors) && problem.errors.length > 0 && problem.errors.every(beforeSending))

// Only codes and our own words: a driver's message may hold more than a log should.
const failed = (error: unknown): Exchange => {
  const problem: Problem = typeof error === "object" && error !== null ? error : {}
  const code = typeof problem.code === "string" ? problem.code : "the connection broke"
  return beforeSending(problem)
    ? { _tag: "NotSent", detail: `cannot connect (${code})` }
    : { _tag: "Lost", detail: `answer lost (${code})` }
}

export interface Sending {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string | null
}

/** The reason to abort with when time is up; any other means that nobody waits for the answer any more. */
const timeIsUp = new Error("no answer in time")

/** A signal that says when to stop waiting, and the way to say so. */
export const makeDeadline = () => {
  const controller = new AbortController()
  return { signal: controller.signal, pass: () => controller.abort(timeIsUp) }
}

/** Connections kept open between requests, so that a look after a pause does not pay for TCP and TLS again. */
export const openConnections = (options: { readonly keepAlive: number; readonly connectPatience: number }) => {
  const pools = {
    "http:": new http.Agent({ keepAlive: true, timeout: options.keepAlive }),
    "https:": new https.Agent({ keepAlive: true, timeout: options.keepAlive })
  }
  const all = Object.values(pools)
  return {
    ...options,
    of: (protocol: string) => (protocol === "http:" ? pools["http:"] : pools["https:"]),
    /** A server may close a resting connection just as a request goes out on it, and then nobody knows whether it arrived. */
    dropResting: () => {
      for (const pool of all)
        for (const sockets of Object.values(pool.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
    },
    close: () => {
      for (const pool of all) pool.destroy()
    }
  }
}
export type Connections = ReturnType<typeof openConnections>

const send = (connections: Connections, { body, headers, method, url }: Sending, signal: AbortSignal): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const { protocol } = new URL(url)
    const { request } = protocol === "http:" ? http : https
    const sending = request(
      url,
      {
        method,
        signal,
        agent: connections.of(protocol),
        headers: body === null ? headers : { ...headers, "content-length": String(Buffer.byteLength(body)) }
      },
      (answer) => {
        const chunks: Array<Buffer> = []
        answer.on("data", (chunk: Buffer) => chunks.push(chunk))
        answer.on("error", reject)
        answer.on("end", () => {
          // An answer cut short ends too, without being complete.
          if (!answer.complete) return reject(Object.assign(new Error("cut short"), { code: "ECONNRESET" }))
          resolve({
            _tag: "Answered",
            status: answer.statusCode ?? 0,
            header: (name) => {
              const value = answer.headers[name]
              return typeof value === "string" ? value : value?.[0]
            },
            text: Buffer.concat(chunks).toString("utf8")
          })
        })
      }
    )
    sending.on("error", reject)
    sending.on("socket", (socket) => {
      if (!socket.connecting) return
      const late = setTimeout(
        () => sending.destroy(Object.assign(new Error("connect timeout"), { code: "CONNECT_TIMEOUT" })),
        connections.connectPatience
      )
      socket.once(protocol === "http:" ? "connect" : "secureConnect", () => clearTimeout(late))
      socket.once("close", () => clearTimeout(late))
    })
    sending.end(body ?? undefined)
  })

/** Sends once and reads the whole answer. Never rejects; follows no redirect and repeats nothing, which `fetch` would. */
export const exchange = async (connections: Connections, sending: Sending, signal: AbortSignal): Promise<Exchange> => {
  try {
    return await send(connections, sending, signal)
  } catch (error) {
    return signal.reason === timeIsUp ? { _tag: "Lost", detail: timeIsUp.message } : failed(error)
  }
}
