import * as http from "node:http"
import * as https from "node:https"
import { type Content, contentOf, LONGEST_ANSWER } from "./content.ts"

/** Headers in all, in bytes: of fal's, a few hundred. */
const LONGEST_HEAD = 32 * 1024

/** An HTTP answer, read to its end or to the most that we read of any. */
export interface Answered extends Content {
  readonly _tag: "Answered"
  readonly status: number
  /** The first of that name, where there are several. */
  readonly header: (name: string) => string | undefined
}
/**
 * How one HTTP request went. Only `NotSent` proves that fal has not seen it. Of a `Lost` answer `begun` may be known: its status
 * and headers came before it broke off or took too long.
 */
export type Exchange =
  | Answered
  | { readonly _tag: "NotSent"; readonly detail: string }
  | { readonly _tag: "Lost"; readonly detail: string; readonly begun?: Answered }

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
const codeOf = (error: unknown) => {
  const { code }: Problem = typeof error === "object" && error !== null ? error : {}
  return typeof code === "string" ? code : "the connection broke"
}
const failed = (error: unknown, begun: Answered | undefined): Exchange =>
  begun === undefined && typeof error === "object" && error !== null && beforeSending(error)
    ? { _tag: "NotSent", detail: `cannot connect (${codeOf(error)})` }
    : { _tag: "Lost", detail: `answer lost (${codeOf(error)})`, ...(begun === undefined ? {} : { begun }) }

export interface Sending {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string | null
}

/** The reason of an abort when time is up. Any other reason means that the caller does not wait any more. */
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
    /** A server may close an idle connection just as a request is sent on it; then it is unknown whether the request arrived. */
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

export const answered = ({ headersDistinct, statusCode }: http.IncomingMessage, content: Content): Answered => ({
  _tag: "Answered",
  status: statusCode ?? 0,
  header: (name) => headersDistinct[name]?.[0],
  ...content
})

/** Sends one request, with `connectPatience` to connect, and gives its answer as soon as the headers are there. */
export const open = (
  connections: Connections,
  { body, headers, method, url }: Sending,
  signal: AbortSignal,
  onAnswer: (answer: http.IncomingMessage) => void
): http.ClientRequest => {
  const { protocol } = new URL(url)
  const { request } = protocol === "http:" ? http : https
  const sending = request(
    url,
    {
      method,
      signal,
      agent: connections.of(protocol),
      maxHeaderSize: LONGEST_HEAD,
      headers: body === null ? headers : { ...headers, "content-length": String(Buffer.byteLength(body)) }
    },
    onAnswer
  )
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
  return sending
}

const send = (connections: Connections, sending: Sending, signal: AbortSignal): Promise<Exchange> =>
  new Promise((resolve) => {
    const chunks: Array<Buffer> = []
    let read = 0
    let begun: http.IncomingMessage | undefined
    const beginning = (): Content => ({ text: Buffer.concat(chunks).toString("utf8"), cut: true })
    const broke = (error: unknown) => {
      const came = begun && answered(begun, beginning())
      resolve(
        signal.reason === timeIsUp
          ? { _tag: "Lost", detail: timeIsUp.message, ...(came === undefined ? {} : { begun: came }) }
          : failed(error, came)
      )
    }
    open(connections, sending, signal, (answer) => {
      begun = answer
      answer.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        read += chunk.length
        if (read <= LONGEST_ANSWER) return
        resolve(answered(answer, beginning()))
        answer.destroy()
      })
      answer.on("error", broke)
      answer.on("end", () => {
        // An answer cut short ends too, without being complete.
        if (!answer.complete) return broke(Object.assign(new Error("cut short"), { code: "ECONNRESET" }))
        contentOf(Buffer.concat(chunks), answer.headers["content-encoding"] ?? "").then(
          (content) => resolve(answered(answer, content)),
          broke
        )
      })
    }).on("error", broke)
  })

/**
 * Sends once and reads the answer. Never rejects; follows no redirect and repeats nothing, which `fetch` would. No answer can
 * fill the memory or take longer than `signal` allows.
 */
export const exchange = async (connections: Connections, sending: () => Sending, signal: AbortSignal): Promise<Exchange> => {
  try {
    return await send(connections, sending(), signal)
  } catch (error) {
    // A header or an address that cannot be sent: nothing went out.
    return { _tag: "NotSent", detail: `cannot be sent (${codeOf(error)})` }
  }
}
